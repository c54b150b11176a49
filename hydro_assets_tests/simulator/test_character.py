from typing import get_type_hints

import numpy as np

from hydro_assets.simulator.character import Character, draw_characters


def test_draw_characters__lie_in_their_stated_ranges() -> None:
    drawn = draw_characters(50, 1)
    for name, hint in get_type_hints(Character, include_extras=True).items():
        low, high = hint.__metadata__
        values = getattr(drawn, name)
        assert values.shape == (50,)
        assert ((values >= low) & (values <= high)).all(), name
        assert values.std() > 0.1 * (high - low), name


def test_draw_characters__of_a_system_do_not_depend_on_the_number_of_systems() -> None:
    assert np.array_equal(draw_characters(2, 1).ph_target, draw_characters(5, 1).ph_target[:2])
