"""The steps of the pipeline, each one function: what an asset, a plain job task and a command all call."""
