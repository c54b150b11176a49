"""The console of `hydro run`: the step and what it says, one short line each."""

from __future__ import annotations

import logging
import sys

import dagster as dg


class _ShortLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        message = meta.get("orig_message") or record.getMessage()
        step = (meta.get("step_key") or "").split("__")[-1]
        level = "" if record.levelno < logging.WARNING else f"{record.levelname} "
        return f"{self.formatTime(record, '%H:%M:%S')} {step + ': ' if step else ''}{level}{message}"


@dg.logger(config_schema={"log_level": dg.Field(str, default_value="INFO")}, description="Short lines on the console.")
def console_logger(init_context: dg.InitLoggerContext) -> logging.Logger:
    """A logger of its own per run; Dagster's full event log is in the UI."""
    logger = logging.Logger("hydro", level=init_context.logger_config["log_level"])
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_ShortLines())
    logger.addHandler(handler)
    return logger
