"""Devices that speak Modbus."""
