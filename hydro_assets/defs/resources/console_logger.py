"""The console of `hydro run`: the step and what it says, one short line each."""

from __future__ import annotations

import logging
import sys

import dagster as dg

from hydro_assets.defs.failures import is_interruption


class _ShortLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        message = meta.get("orig_message") or record.getMessage()
        step = (meta.get("step_key") or "").split("__")[-1]
        level = "" if record.levelno < logging.WARNING else f"{record.levelname} "
        return f"{self.formatTime(record, '%H:%M:%S')} {step + ': ' if step else ''}{level}{message}"


def _is_news(record: logging.LogRecord) -> bool:
    """False for Ctrl-C, which Dagster calls an error of the step and one of the run: the command says it once."""
    event = getattr(record, "dagster_event", None)
    return event is None or not is_interruption(event)


@dg.logger(config_schema={"log_level": dg.Field(str, default_value="INFO")}, description="Short lines on the console.")
def console_logger(init_context: dg.InitLoggerContext) -> logging.Logger:
    """A logger of its own per run; Dagster's full event log is in the UI."""
    logger = logging.Logger("hydro", level=init_context.logger_config["log_level"])
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_ShortLines())
    handler.addFilter(_is_news)
    logger.addHandler(handler)
    return logger
