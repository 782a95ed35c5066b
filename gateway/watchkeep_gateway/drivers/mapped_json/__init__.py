"""JSON of foreign publishers (ChirpStack, Zigbee2MQTT, vendor clouds), read by rows of JSON pointers."""
