"""What became of forecasts when the actuals arrived: errors, drift of the inputs, the rule that asks for training."""
