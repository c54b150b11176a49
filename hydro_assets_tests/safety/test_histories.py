"""Whatever happens to a farm, and wherever its process dies: one `hydro run` later it is as if nothing had happened.

HYDRO_HISTORIES=1000 pytest -n 0 hydro_assets_tests/safety/test_histories.py   # the soak; CI runs a few, seeded
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from polars.testing import assert_frame_equal

from hydro_assets.errors import HydroError
from hydro_assets.ingest.dimensions import dim_time
from hydro_assets.ingest.journal import entries, rows_in_gold
from hydro_assets.lakehouse import Lakehouse
from hydro_assets.pipeline.competition import compete, decisions, roll_back
from hydro_assets.pipeline.gold import forget_import
from hydro_assets.pipeline.training import train_model
from hydro_assets.registry.registered_model import CHAMPION, RegisteredModel
from hydro_assets.settings import Settings
from hydro_assets.settings_sources import load_settings
from hydro_assets.tables import MODELS, names
from hydro_assets_tests.safety import farm
from hydro_assets_tests.safety.farm import DERIVED, HOURS, SMALL, Death, content, import_hours, new_home

HISTORIES = int(os.environ.get("HYDRO_HISTORIES", "2"))
DEATHS = st.none() | st.integers(0, 45)
KINDS = st.sampled_from(MODELS)
CHOICES = {
    "timezone": ("UTC", "Europe/Rome", "America/New_York"),
    "target_col": ("ph_level", "tds_level"),
    "max_gap": ("5min", "6h"),
    "min_window_coverage": (0.5, 0.9),
    "monitoring": ({"drift_days": 7}, {"drift_days": 2}),
    "train_share": (0.7, 0.6),
}


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patch, self.death = pytest.MonkeyPatch(), Death()
        farm.stand_in(self.patch)
        self.folder = Path(tempfile.mkdtemp(prefix="hydro_history_"))
        self.home, self.chosen = new_home(self.folder / "home"), dict[str, object]()
        self.model = dict[datetime, list[tuple[int, float]]]()  # instant -> (import, pH), the last one is in force
        self.gone, self.imports = set[int](), 0
        self.undisturbed = load_settings(home=new_home(self.folder / "undisturbed"), **SMALL)
        self.death.watch(self.patch)

    @property
    def settings(self) -> Settings:
        return load_settings(home=self.home, **SMALL | self.chosen)

    @property
    def lakehouse(self) -> Lakehouse:
        return Lakehouse(self.settings)

    # -- what happens --------------------------------------------------------------------------------------------------

    @initialize(seed=st.integers(0, 3))
    def begin(self, seed: int) -> None:
        self._import(0, HOURS // 2, seed, None)

    @rule(first=st.integers(0, HOURS - 2), hours=st.integers(1, 40), seed=st.integers(0, 3), dies=DEATHS)
    def readings_arrive(self, first: int, hours: int, seed: int, dies: int | None) -> None:
        """New days, late data, corrections, and what is known already."""
        self._import(first, min(first + hours, HOURS - 1), seed, dies)

    @rule(back=st.integers(0, 3), dies=DEATHS)
    def import_is_taken_back(self, back: int, dies: int | None) -> None:
        known = [e.import_id for e in entries(self.lakehouse) if e.forgotten_at is None]
        if len(known) < 2:
            return
        number = known[-1 - min(back, len(known) - 2)]
        stamp = next(e.ingestion_timestamp for e in entries(self.lakehouse) if e.import_id == number)
        held = rows_in_gold(self.lakehouse).get(stamp, 0)
        with self.death.after(dies):
            forget_import(self.lakehouse, number, datetime.now(UTC))
        if held and not rows_in_gold(self.lakehouse).get(stamp, 0):
            self.gone.add(number)

    @rule(dies=DEATHS)
    def run(self, dies: int | None) -> None:
        with self.death.after(dies):
            farm.run(self.settings)

    @rule(kind=KINDS, dies=DEATHS)
    def train(self, kind: str, dies: int | None) -> None:
        with suppress(HydroError), self.death.after(dies):
            train_model(self.lakehouse, kind, datetime.now(UTC))

    @rule(kind=KINDS, version=st.none() | st.sampled_from(["1", "2", "3"]), dies=DEATHS)
    def promote(self, kind: str, version: str | None, dies: int | None) -> None:
        with suppress(HydroError), self.death.after(dies):
            compete(self.lakehouse, kind, datetime.now(UTC), version)

    @rule(kind=KINDS, version=st.none() | st.sampled_from(["1", "2", "3"]), dies=DEATHS)
    def roll_back(self, kind: str, version: str | None, dies: int | None) -> None:
        with suppress(HydroError), self.death.after(dies):
            roll_back(self.lakehouse, kind, datetime.now(UTC), version)

    @rule(kind=KINDS, version=st.sampled_from(["1", "2", "3"]))
    def alias_is_moved_by_hand(self, kind: str, version: str) -> None:
        model = RegisteredModel(self.settings, kind)
        if version in model.versions():
            model.client.set_registered_model_alias(model.name, CHAMPION, version)

    @rule(choice=st.sampled_from([(name, value) for name, values in CHOICES.items() for value in values]))
    def setting_is_changed(self, choice: tuple[str, object]) -> None:
        self.chosen |= [choice]

    @rule(kind=KINDS)
    def derived_table_is_lost(self, kind: str) -> None:
        name = DERIVED[MODELS.index(kind)]
        if self.lakehouse.exists(name):
            self.lakehouse.drop_derived(name)

    def _import(self, first: int, last: int, seed: int, dies: int | None) -> None:
        before = self.lakehouse.version(names.IOT_DATA)
        number = max((e.import_id for e in entries(self.lakehouse)), default=0) + 1
        self.imports += 1
        with self.death.after(dies):
            import_hours(self.settings, first, last, seed, self.imports)
        if self.lakehouse.version(names.IOT_DATA) in (before, None):
            return
        rows = Lakehouse(self.settings).read_polars(names.IOT_DATA)
        stamps = {e.import_id: e.ingestion_timestamp for e in entries(self.lakehouse)}
        if number not in stamps:
            return
        for at, ph in rows.filter(ingestion_timestamp=stamps[number])["timestamp_key", "ph_level"].iter_rows():
            self.model.setdefault(at, []).append((number, ph))

    # -- what is to be true in the end ---------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            if self.model:
                self._check()
        finally:
            self.patch.undo()
            shutil.rmtree(self.folder)

    def _check(self) -> None:
        done = farm.run(self.settings)
        note(f"the last run did {done}")
        assert farm.run(self.settings) == [], "a second run finds nothing to do"
        self._gold_and_its_calendar()
        self._features_are_those_of_an_undisturbed_farm()
        self._serving_is_explained_by_the_log()
        before = {name: content(self.settings, name) for name in DERIVED}
        farm.score_anew(self.settings)
        for name, rows in before.items():
            assert_frame_equal(rows, content(self.settings, name), check_exact=False, abs_tol=1e-9)

    def _gold_and_its_calendar(self) -> None:
        days = self.lakehouse.days(names.IOT_DATA)
        calendar = self.lakehouse.read_polars(names.DIM_TIME)
        assert calendar.height >= dim_time(days).height
        assert self.lakehouse.exists(names.DIM_EQUIPMENT)
        assert not set(days) - set(calendar["date"]), "no day of Gold is without its calendar"

    def _features_are_those_of_an_undisturbed_farm(self) -> None:
        rows = self.lakehouse.read_polars(names.IOT_DATA)
        calm = Lakehouse(self.undisturbed.model_copy(update=self._shaping()))
        in_force = {at: kept[-1][1] for at, found in self.model.items() if (kept := self._kept(found))}
        assert dict(rows.sort("ingestion_timestamp")["timestamp_key", "ph_level"].iter_rows()) == in_force
        for table in (names.DIM_TIME, names.DIM_EQUIPMENT, names.IOT_DATA):
            calm.tables.create(_described(self.lakehouse, table))
            calm.overwrite(_described(self.lakehouse, table), self.lakehouse.read_polars(table))
        farm.PlainSteps(calm).refresh([farm.feature_span(calm)])
        assert_frame_equal(content(calm.settings, names.SENSOR_FEATURES), content(self.settings, names.SENSOR_FEATURES))

    def _shaping(self) -> dict[str, object]:
        return {name: getattr(self.settings, name) for name in self.chosen}

    def _kept(self, found: list[tuple[int, float]]) -> list[tuple[int, float]]:
        return [(number, ph) for number, ph in found if number not in self.gone]

    def _serving_is_explained_by_the_log(self) -> None:
        for kind in MODELS:
            model, log = RegisteredModel(self.settings, kind), decisions(self.lakehouse, kind)
            assert log["champion_after"][-1] == model.aliases().get(CHAMPION)
            assert log["champion_before"][1:].to_list() == log["champion_after"][:-1].to_list()
            assert model.latest_whole() in {*log["challenger"], *log["champion_after"]}


def _described(lakehouse: Lakehouse, name: str):
    from hydro_assets.pipeline.gold import present_columns
    from hydro_assets.tables import GOLD_DIM_EQUIPMENT, GOLD_DIM_TIME

    if name == names.IOT_DATA:
        return present_columns(lakehouse.read_polars(name))
    return {t.name: t for t in (GOLD_DIM_TIME, GOLD_DIM_EQUIPMENT)}[name]


Histories.TestCase.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=8,
    deadline=None,
    derandomize=HISTORIES < 100,
    database=None,
    print_blob=True,
    phases=(Phase.generate,),  # to shrink a history takes longer than to read it
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
TestHistories = Histories.TestCase
