"""The forecasting cells are the library's, to float32's last places."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hydro_assets.forecasting.last_state import last_state


@pytest.mark.parametrize("batch", [0, 1, 7])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_last_state__is_the_librarys(cell: type[nn.LSTM | nn.GRU], layers: int, batch: int) -> None:
    torch.manual_seed(layers)
    network = cell(5, 8, layers, batch_first=True).eval()
    sequence = 3 * torch.randn(batch, 6, 5)
    with torch.inference_mode():
        torch.testing.assert_close(last_state(network, sequence), network(sequence)[0][:, -1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_last_state__of_inputs_beyond_all_measure_is_finite_and_the_librarys(cell: type[nn.LSTM | nn.GRU]) -> None:
    torch.manual_seed(0)
    network = cell(2, 4, 2, batch_first=True).eval()
    sequence = torch.tensor([[[1e6, -1e6]] * 5, [[0.0, 0.0]] * 5])
    with torch.inference_mode():
        given = last_state(network, sequence)
        torch.testing.assert_close(given, network(sequence)[0][:, -1], rtol=0, atol=1e-6)
    assert torch.isfinite(given).all()
