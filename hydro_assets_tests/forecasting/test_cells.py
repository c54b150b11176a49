import pytest
import torch
from torch import nn

from hydro_assets.forecasting.cells import dropout_mask, encode


@pytest.fixture(params=[nn.LSTM, nn.GRU], ids=["lstm", "gru"])
def cell(request: pytest.FixtureRequest) -> nn.LSTM | nn.GRU:
    torch.manual_seed(1)
    return request.param(3, 5, num_layers=2, batch_first=True).double()


KEEP_ALL = torch.ones(4, 1, 7, 5, dtype=torch.double)


def test_encode__agrees_with_the_library(cell: nn.LSTM | nn.GRU) -> None:
    sequence = torch.randn(4, 7, 3, dtype=torch.double)
    torch.testing.assert_close(encode(cell, sequence, KEEP_ALL), cell(sequence)[0][:, -1])


def test_encode__has_the_librarys_gradients(cell: nn.LSTM | nn.GRU) -> None:
    sequence = torch.randn(4, 7, 3, dtype=torch.double, requires_grad=True)
    weight = torch.randn(4, 5, dtype=torch.double)
    wanted = [*cell.parameters(), sequence]
    theirs = torch.autograd.grad((cell(sequence)[0][:, -1] * weight).sum(), wanted)
    ours = torch.autograd.grad((encode(cell, sequence, KEEP_ALL) * weight).sum(), wanted)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_encode__passes_on_to_the_next_layer_what_the_mask_keeps(cell: nn.LSTM | nn.GRU) -> None:
    sequence = torch.randn(4, 7, 3, dtype=torch.double)
    mask = KEEP_ALL.clone()
    mask[:2] = 0
    found = encode(cell, sequence, mask)
    nothing = encode(cell, torch.randn(2, 7, 3, dtype=torch.double), mask[:2])
    torch.testing.assert_close(found[:2], nothing)
    assert not torch.allclose(found[2], found[3])


def test_dropout_mask__keeps_the_expected_size_and_share() -> None:
    mask = dropout_mask(nn.LSTM(3, 16, num_layers=3, dropout=0.2), 64, 10)
    assert mask.shape == (64, 2, 10, 16)
    assert set(mask.unique().tolist()) == {0.0, 1.25}
    assert abs(float(mask.mean()) - 1) < 0.02
