"""The cells for training on a CPU: dropout from a mask, and a GRU whose backward pass is a few operations a step.

The masks of a batch are drawn at once, so that threads may share the batch and a seed still gives equal results.

Of `nn.GRU`, autograd records some thirty small operations per step and multiplies out its weight gradients step by
step; at small batches that costs more than the arithmetic. Here what can be done for all steps at once is done so,
before and after the loop over time. Equations and gate order are those of `torch.nn.GRU`, whose parameters are used, so
saved weights and the GPU path (cuDNN) stay the library's. `nn.LSTM` needs no such help: oneDNN fuses each layer on a
CPU.

Shapes: `T` steps, `B` batch, `I` inputs, `H` hidden units.
"""

# The signatures of autograd functions are wider than pyright's for `forward` and `backward`.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from hydro_assets.forecasting.forecast_cells import WEIGHTS, last_state


def dropout_mask(cell: nn.LSTM | nn.GRU, batch: int, length: int) -> Tensor:
    """[B, L - 1, T, H]: 0 where the output of a layer is dropped, 1 / (1 - p) where it is kept; on the CPU."""
    # Whole numbers are drawn three times as fast as `bernoulli_` draws; 15 bits are plenty for a rate.
    draw = torch.empty(batch, cell.num_layers - 1, length, cell.hidden_size, dtype=torch.int16).random_()
    return draw.ge(round(cell.dropout * 2**15)) / (1 - cell.dropout)


def encode(cell: nn.LSTM | nn.GRU, sequence: Tensor, mask: Tensor | None = None) -> Tensor:
    """[B, T, I] -> [B, H], the state after the last step; the same values as `cell(sequence)[0][:, -1]`.

    Args:
        mask: of `dropout_mask`; without one the library decides on dropout itself.
    """
    if mask is None:
        if cell.training or torch.is_grad_enabled() or sequence.is_cuda:
            return cell(sequence)[0][:, -1]
        return last_state(cell, sequence)
    layer = _lstm_layer if isinstance(cell, nn.LSTM) else _GruLayer.apply
    steps = sequence.transpose(0, 1).contiguous()  # [B, T, I] -> [T, B, I]
    for k in range(cell.num_layers):
        if k > 0:
            steps = steps * mask[:, k - 1].transpose(0, 1)
        steps = layer(steps, *(getattr(cell, f"{n}_l{k}") for n in WEIGHTS))  # -> [T, B, H]
    return steps[-1]


def _lstm_layer(x: Tensor, *weights: Tensor) -> Tensor:
    start = x.new_zeros(1, x.shape[1], weights[1].shape[1])
    return torch.lstm(x, (start, start), list(weights), True, 1, 0.0, True, False, False)[0]


class _GruLayer(torch.autograd.Function):
    """One layer; gates in the order reset, update, new."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
        (length, batch, _), size = x.shape, w_hh.shape[1]
        both = 2 * size  # reset and update gate
        gates = torch.addmm(b_ih, x.flatten(0, 1), w_ih.t()).view(length, batch, 3 * size)
        hidden, own = x.new_zeros(length + 1, batch, size), x.new_empty(length, batch, 3 * size)
        recurrent = w_hh.t().contiguous()
        parts = zip(
            hidden.unbind(0),
            hidden[1:].unbind(0),
            gates[:, :, :both].unbind(0),
            *(g.unbind(0) for g in gates.chunk(3, dim=2)),
            own.unbind(0),
            own[:, :, :both].unbind(0),
            own[:, :, both:].unbind(0),
            strict=False,
        )
        for h, h_next, gated, reset, update, new, own_all, own_gated, proposed in parts:
            torch.addmm(b_hh, h, recurrent, out=own_all)
            gated.add_(own_gated).sigmoid_()
            new.addcmul_(reset, proposed).tanh_()
            torch.lerp(new, h, update, out=h_next)
        ctx.save_for_backward(x, w_ih, w_hh, gates, hidden, own[:, :, both:])
        return hidden[1:]

    @staticmethod
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, ...]:
        x, w_ih, w_hh, gates, hidden, proposed = ctx.saved_tensors
        length, batch, size = proposed.shape
        reset, update, new = gates.chunk(3, dim=2)
        # Of dL/d(gate before its nonlinearity), per dL/dhidden.
        of_new = (1 - update) * (1 - new * new)
        of_update = (hidden[:-1] - new) * update * (1 - update)
        of_reset = of_new * proposed * reset * (1 - reset)
        factors = torch.stack([of_reset, of_update, of_new * reset], dim=2)  # [T, B, 3, H], recurrent side
        d_own, d_all = torch.empty_like(factors), x.new_empty(length, batch, 1, size)
        d_hidden = d_out.new_zeros(batch, 1, size)
        for d_step, d_here, factor, d_three, d_flat, keep in _backwards(
            d_out[:, :, None], d_all, factors, d_own, d_own.flatten(2), update[:, :, None]
        ):
            torch.add(d_hidden, d_step, out=d_here)
            torch.mul(factor, d_here, out=d_three)
            d_hidden = torch.addmm((d_here * keep)[:, 0], d_flat, w_hh)[:, None]
        flat_own = d_own.view(length * batch, 3 * size)
        flat = torch.cat([d_own[:, :, :2], d_all * of_new[:, :, None]], dim=2).view(length * batch, 3 * size)
        d_w_ih, d_w_hh = flat.t() @ x.flatten(0, 1), flat_own.t() @ hidden[:-1].flatten(0, 1)
        return (flat @ w_ih).view_as(x), d_w_ih, d_w_hh, flat.sum(0), flat_own.sum(0)


def _backwards(*over_time: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The steps of all tensors together, the last step first. One `unbind` is cheaper than an index per step."""
    return zip(*(reversed(v.unbind(0)) for v in over_time), strict=True)
