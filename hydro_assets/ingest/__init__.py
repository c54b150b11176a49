"""From raw sensor exports to rows of `gold.iot_data`."""
