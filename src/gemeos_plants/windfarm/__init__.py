"""A recorded wind farm, lived through again over MQTT."""
