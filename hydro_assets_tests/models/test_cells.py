import pytest
import torch
from torch import nn

from hydro_assets.models.cells import encode


@pytest.fixture(params=[nn.LSTM, nn.GRU], ids=["lstm", "gru"])
def cell(request: pytest.FixtureRequest) -> nn.LSTM | nn.GRU:
    torch.manual_seed(1)
    return request.param(3, 5, num_layers=2, batch_first=True).double()


def test_encode__agrees_with_the_library(cell: nn.LSTM | nn.GRU) -> None:
    sequence = torch.randn(4, 7, 3, dtype=torch.double)
    torch.testing.assert_close(encode(cell, sequence), cell(sequence)[0][:, -1])


def test_encode__has_the_librarys_gradients(cell: nn.LSTM | nn.GRU) -> None:
    sequence = torch.randn(4, 7, 3, dtype=torch.double, requires_grad=True)
    weight = torch.randn(4, 5, dtype=torch.double)
    wanted = [*cell.parameters(), sequence]
    theirs = torch.autograd.grad((cell(sequence)[0][:, -1] * weight).sum(), wanted)
    ours = torch.autograd.grad((encode(cell, sequence) * weight).sum(), wanted)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_encode__drops_out_between_layers_only_in_training(cell: nn.LSTM | nn.GRU) -> None:
    cell.dropout, sequence = 0.5, torch.randn(4, 7, 3, dtype=torch.double)
    assert not torch.equal(encode(cell, sequence), encode(cell, sequence))
    cell.eval()
    torch.testing.assert_close(encode(cell, sequence), encode(cell, sequence))
