"""How fast a recurrent model trains: ours against a plain DataLoader loop, neuralforecast and darts, in one run.

    python bench/train_speed.py --windows 20000 --batches 32,256

All ways train the same network (cell of 64 units, 2 layers, 24 steps, same inputs, same head where the library lets
us choose) on the same number of windows for the same number of epochs on the same threads. neuralforecast and darts
take part when they can be imported; they are not dependencies of the project. Each way runs `--repeats` times in turn
and the fastest counts, so that a busy machine disturbs all alike.

The arithmetic limit is what torch's matrix product reaches in the same run on the same threads. A training step is
counted as three forward passes (Kaplan et al. 2020, section 2.1); only the recurrent layers are counted. A larger batch
is an option, not a default: the rule is to raise the learning rate by the square root of the batch's growth (Krizhevsky
2014 for Adam-like steps), which `HYDRO_RECURRENT__LEARNING_RATE` sets; the bench times, it does not judge accuracy.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from hydro_assets.forecasting.grid import TimeGrid
from hydro_assets.forecasting.recurrent import RecurrentNetwork
from hydro_assets.forecasting.scaling import InputScaler
from hydro_assets.forecasting.sequences import Sequences
from hydro_assets.setting_groups import RecurrentConfig
from hydro_assets.training import loop

NAMES = ("ph_level", "tds_level", "air_temperature", "air_humidity")
STEPS = 24
STEP = timedelta(minutes=1)
CONTEXT = 20
QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "enable_checkpointing": False}


def main() -> None:
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cells", default="lstm,gru")
    parser.add_argument("--batches", default="32")
    args = parser.parse_args()
    limit = matmul_flops()
    print(f"{torch.get_num_threads()} threads, matrix product {limit / 1e9:.1f} GFLOP/s")
    for cell in args.cells.split(","):
        for batch in map(int, args.batches.split(",")):
            compare(cell, batch, args.windows, args.epochs, args.repeats, limit)


def compare(cell: str, batch: int, windows: int, epochs: int, repeats: int, limit: float) -> None:
    config = RecurrentConfig(batch_size=batch, epochs=epochs, patience=epochs)  # type: ignore[call-arg]
    grid = series(windows + STEPS)
    ways: dict[str, Callable[[], float]] = {
        "ours": lambda: ours(cell, grid, config),
        "plain DataLoader loop": lambda: plain(cell, grid, config),
    }
    if importlib.util.find_spec("neuralforecast"):
        ways["neuralforecast"] = lambda: neuralforecast(cell, grid, config)
    if importlib.util.find_spec("darts"):
        ways["darts"] = lambda: darts(cell, grid, config)
    seconds = {name: float("inf") for name in ways}
    for _ in range(repeats):
        for name, run in ways.items():
            seconds[name] = min(seconds[name], run())
    work = 3 * forward_flops(cell, config) * windows * epochs
    for name, took in seconds.items():
        print(
            f"{cell} batch {batch:>4}  {name:<22} {windows * epochs / took:>9,.0f} windows/s  "
            f"{took / seconds['ours']:>5.2f} x ours' time  {100 * work / took / limit:>5.1f} % of the matrix product"
        )


def ours(cell: str, grid: TimeGrid, config: RecurrentConfig) -> float:
    rows = np.arange(STEPS, len(grid))
    scaler, device = scaler_of(grid), torch.device("cpu")
    gain = Sequences.change_gain(grid, scaler, rows, STEPS)
    context, system = torch.randn(rows.size, CONTEXT), torch.ones(rows.size, dtype=torch.long)
    goal = torch.from_numpy(grid.values(NAMES[0])[rows].astype(np.float32))[:, None]
    torch.manual_seed(1)
    network = network_of(cell, config)
    started = time.perf_counter()  # the making of the windows is part of the cost
    sequences = Sequences.of(grid, rows, scaler, gain, STEPS, device)
    every = np.arange(rows.size)
    batches = loop.Batches(
        lambda at: (sequences.batch(at), context[at], system[at]), goal, every, every[: config.batch_size]
    )
    loop.fit(network, batches, config, seed=1, report=lambda line: None)
    return time.perf_counter() - started


class WindowSet(Dataset[tuple[Tensor, Tensor, Tensor, Tensor]]):
    """One item per window, cut from the series when asked for: the usual recipe."""

    def __init__(self, values: Tensor, goal: Tensor) -> None:
        self.values, self.goal = values, goal
        self.context, self.system = torch.randn(len(goal), CONTEXT), torch.ones(len(goal), dtype=torch.long)

    def __len__(self) -> int:
        return len(self.goal)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.values[i : i + STEPS], self.context[i], self.system[i], self.goal[i]


def network_of(cell: str, config: RecurrentConfig) -> RecurrentNetwork:
    sizes = config.hidden_size, config.num_layers, config.dropout
    return RecurrentNetwork(cell, len(NAMES), CONTEXT, 1, 1, *sizes)


def plain(cell: str, grid: TimeGrid, config: RecurrentConfig) -> float:
    values = torch.from_numpy(np.tile(scaled(grid), 3))  # [R, 3F], the width that ours has
    goal = torch.from_numpy(grid.values(NAMES[0])[STEPS:].astype(np.float32))[:, None]
    torch.manual_seed(1)
    network = network_of(cell, config)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    loader = DataLoader(WindowSet(values, goal), batch_size=config.batch_size, shuffle=True)
    started = time.perf_counter()
    for _ in range(config.epochs):
        for window, context, system, actual in loader:
            optimizer.zero_grad()
            loss = nn.functional.smooth_l1_loss(network(window, context, system), actual, beta=0.5)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
    return time.perf_counter() - started


def neuralforecast(cell: str, grid: TimeGrid, config: RecurrentConfig) -> float:
    from neuralforecast import NeuralForecast  # type: ignore[import-not-found]
    from neuralforecast.models import GRU, LSTM  # type: ignore[import-not-found]

    frame = grid.frame.select(
        unique_id="system_id",
        ds=pl.col("timestamp").dt.replace_time_zone(None),
        y=NAMES[0],
        **{n: n for n in NAMES[1:]},
    ).to_pandas()
    windows = len(grid) - STEPS
    # One series gives one step per epoch there; the steps that our epochs take are asked for by number instead.
    model = {"lstm": LSTM, "gru": GRU}[cell](
        h=1,
        input_size=STEPS,
        encoder_n_layers=config.num_layers,
        encoder_hidden_size=config.hidden_size,
        encoder_dropout=config.dropout,
        hist_exog_list=list(NAMES[1:]),
        max_steps=config.epochs * windows // config.batch_size,
        windows_batch_size=config.batch_size,
        batch_size=1,
        learning_rate=config.learning_rate,
        recurrent=False,
        accelerator="cpu",
        **QUIET,
    )
    started = time.perf_counter()
    NeuralForecast(models=[model], freq="min").fit(frame, val_size=0)
    return time.perf_counter() - started


def darts(cell: str, grid: TimeGrid, config: RecurrentConfig) -> float:
    from darts import TimeSeries  # type: ignore[import-not-found]
    from darts.models import BlockRNNModel  # type: ignore[import-not-found]

    frame = grid.frame.select(pl.col("timestamp").dt.replace_time_zone(None), *NAMES).to_pandas()
    frame = frame.astype(dict.fromkeys(NAMES, np.float32))
    target = TimeSeries.from_dataframe(frame, "timestamp", NAMES[0])
    past = TimeSeries.from_dataframe(frame, "timestamp", list(NAMES[1:]))
    model = BlockRNNModel(
        input_chunk_length=STEPS,
        output_chunk_length=1,
        model=cell.upper(),
        hidden_dim=config.hidden_size,
        n_rnn_layers=config.num_layers,
        dropout=config.dropout,
        batch_size=config.batch_size,
        n_epochs=config.epochs,
        pl_trainer_kwargs={"accelerator": "cpu", **QUIET},
    )
    started = time.perf_counter()
    model.fit(target, past_covariates=past)
    return time.perf_counter() - started


def series(rows: int) -> TimeGrid:
    draw, start = np.random.default_rng(1), datetime(2024, 3, 1, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "system_id": ["system_1"] * rows,
            "timestamp": pl.datetime_range(start, start + STEP * (rows - 1), STEP, time_unit="us", eager=True),
            **{name: draw.normal(size=rows) for name in NAMES},
        }
    )
    return TimeGrid.of(frame, STEP, timedelta(minutes=5), padding=STEPS - 1)


def scaler_of(grid: TimeGrid) -> InputScaler:
    return InputScaler.fit(NAMES, np.stack([grid.values(n) for n in NAMES], axis=1), grid.systems)


def scaled(grid: TimeGrid) -> np.ndarray:
    values = np.stack([grid.values(n) for n in NAMES], axis=1)
    return scaler_of(grid).transform(values, grid.systems)


def forward_flops(cell: str, config: RecurrentConfig) -> float:
    """Multiplications and additions of the recurrent layers for one window."""
    gates = {"lstm": 4, "gru": 3}[cell]
    widths = [3 * len(NAMES)] + [config.hidden_size] * (config.num_layers - 1)
    return sum(2 * STEPS * gates * config.hidden_size * (w + config.hidden_size) for w in widths)


def matmul_flops(size: int = 1024, repeats: int = 10) -> float:
    """Floating point operations per second of a square matrix product, the best of several."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


if __name__ == "__main__":
    main()
