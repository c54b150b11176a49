"""What data must be to be used: pure judgements that asset checks show and jobs obey."""

from hydro_assets.quality.finding import Finding, raise_if_bad

__all__ = ["Finding", "raise_if_bad"]
