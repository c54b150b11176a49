"""Which asset follows which, in one table: day by day, as soon as the day is there and fit."""

import dagster as dg

from hydro_assets.defs import keys
from hydro_assets.defs.keys import BATCH_PREDICTIONS, FEATURES_FIT, FORECASTS, SENSOR_FEATURES


def follow_conditions() -> dict[dg.AssetKey, dg.AutomationCondition]:
    """Forecasts follow features; accuracy follows both (late readings included); the outlook follows forecasts."""
    return {
        FORECASTS: follow_features(),
        BATCH_PREDICTIONS: follow_features(),
        keys.PREDICTION_ACCURACY: follow_days(FORECASTS, SENSOR_FEATURES),
        keys.FEATURE_DRIFT: follow_features(),
        keys.SYSTEM_OUTLOOK: follow_any_day(FORECASTS),
        keys.FARM_REPORT: follow_any_day(keys.SYSTEM_OUTLOOK),
    }


def follow_features() -> dg.AutomationCondition:
    """For daily assets on `sensor_features`: each day that was built, of any age, once its check has passed.

    A retrained model is ignored on purpose: it would score the whole history again. That is a backfill, by hand.
    """
    return follow_days(SENSOR_FEATURES)


def follow_days(*upstream: dg.AssetKey) -> dg.AutomationCondition:
    """Each day that one of `upstream` updated since it was last handled, or that is still missing; when none of them
    lacks the day or is building it, and the day's blocking check of `sensor_features` has passed."""
    watched = dg.AssetSelection.assets(*upstream)
    ac = dg.AutomationCondition
    fit = ac.all_checks_match(ac.check_passed()).allow(dg.AssetSelection.checks(FEATURES_FIT))
    wanted = (
        (ac.any_deps_match(ac.newly_updated()).allow(watched) | ac.missing().newly_true())
        .since(ac.newly_requested() | ac.newly_updated())
        .with_label("updated upstream or missing")
    )
    return (
        wanted
        & ~ac.any_deps_match(ac.missing()).allow(watched).with_label("upstream day missing")
        & ~ac.any_deps_match(ac.in_progress()).allow(watched).with_label("upstream day being built")
        & ac.all_deps_match(fit).allow(dg.AssetSelection.assets(SENSOR_FEATURES)).with_label("features fit")
        & ~ac.in_progress()
    ).with_label("follows " + ", ".join(k.to_user_string() for k in upstream))


def follow_any_day(upstream: dg.AssetKey) -> dg.AutomationCondition:
    """For an unpartitioned asset on a daily one: whenever any day of `upstream` was updated."""
    ac = dg.AutomationCondition
    watched = dg.AssetSelection.assets(upstream)
    updated = ac.any_deps_match(ac.newly_updated()).allow(watched)
    handled = ac.newly_requested() | ac.newly_updated()
    busy = ac.any_deps_match(ac.in_progress()).allow(watched)
    return (updated.since(handled) & ~busy & ~ac.in_progress()).with_label(
        f"follows any day of {upstream.to_user_string()}"
    )
