import numpy as np
import torch
from torch import Tensor, nn

from hydro_assets.setting_groups import RecurrentConfig
from hydro_assets.training import loop


class Offset(nn.Module):
    """Forecasts one learned number, so that what the loop does to it can be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.value.expand(x.shape[0], 1)


def batches(train_goal: float, validation_goal: float) -> loop.Batches:
    goal = torch.cat([torch.full((64, 1), train_goal), torch.full((16, 1), validation_goal)])
    return loop.Batches(lambda at: (goal[at],), goal, np.arange(64), np.arange(64, 80))


def run(model: nn.Module, data: loop.Batches, **changes: object) -> list[dict[str, float]]:
    config = RecurrentConfig(**{"learning_rate": 0.1, "epochs": 30, "patience": 4, **changes})  # type: ignore[arg-type]
    return loop.fit(model, data, config, seed=1, report=lambda line: None)[0]


def test_loop__keeps_the_weights_of_the_best_validation_epoch() -> None:
    model = Offset()
    history = run(model, batches(train_goal=5.0, validation_goal=0.5))
    best = min(h["validation_loss"] for h in history)
    output = model(torch.zeros(16, 1)).detach()
    assert float(loop.masked_smooth_l1(output, torch.full((16, 1), 0.5))) == best
    assert abs(model.value.item() - 0.5) < 0.2


def test_loop__stops_when_validation_no_longer_improves() -> None:
    history = run(Offset(), batches(train_goal=5.0, validation_goal=-1.0))
    assert len(history) == 4


def test_loop__reads_no_more_windows_per_epoch_than_allowed() -> None:
    seen: list[int] = []
    data = batches(1.0, 1.0)

    def inputs(at: Tensor) -> tuple[Tensor]:
        seen.append(at.numel())
        return (data.goal[at],)

    counted = loop.Batches(inputs, data.goal, data.train, data.validation)
    run(Offset(), counted, epochs=1, max_windows_per_epoch=40, batch_size=32)
    assert sum(seen) == 16 + 40 + 16  # validation before, the epoch, validation after


def test_loss__leaves_out_unknown_goals() -> None:
    output = torch.tensor([[1.0, 5.0]])
    assert float(loop.masked_smooth_l1(output, torch.tensor([[1.0, float("nan")]]))) == 0
    assert float(loop.masked_smooth_l1(output, torch.full((1, 2), float("nan")))) == 0


def test_loop__tells_epoch_losses_and_seconds_left() -> None:
    lines: list[str] = []
    loop.fit(Offset(), batches(1.0, 1.0), RecurrentConfig(epochs=2), 1, lines.append)  # type: ignore[call-arg]
    assert lines[0].startswith("epoch 1/2: train loss")
    assert lines[0].endswith("s left")


def test_go_on__learns_from_where_it_stands() -> None:
    model = Offset()
    run(model, batches(1.0, 1.0), epochs=3)
    before = abs(model.value.item() - 1)
    loop.go_on(model, batches(1.0, 1.0), RecurrentConfig(learning_rate=0.1), 2, epochs=5)  # type: ignore[call-arg]
    assert abs(model.value.item() - 1) < before


def test_threads__are_given_back() -> None:
    before = torch.get_num_threads()
    with loop.threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
