"""Sparkplug B: edge nodes announce themselves, then send values by alias; deaths tell when they are gone."""
