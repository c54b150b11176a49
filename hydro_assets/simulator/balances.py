"""Water, salts, acidity, heat and vapour of simulated hydroponic systems and the controllers that act on them.

Balances of one tank and its air are integrated with Euler steps of at most one minute, one spin-up day before the first
reading. `u` are states of actuators (0 or 1), `q` is sunlight as a share of full sun, `d` is dryness (1 - RH/100) / 0.4
(1 in air of 60 %RH); constants are those of `character.Character`, weather comes from `weather`.

Water and salts (V share of a full tank; C ppm):

    dV/dt  = -(loss_night + loss_sun q d) + 3.0 u_water                                       [1/h]
    dC/dt  = -(uptake_night + uptake_sun q) C / (C + 200) - (C/V) dV/dt_loss
             + 60 nutrient_strength tds_target u_nutrients + (C_tap - C) 3.0 u_water / V      [ppm/h]

Evaporation concentrates, top-up dilutes, and uptake saturates with concentration as Michaelis and Menten found for
enzymes and Epstein & Hagen (1952) for roots. Top-up begins at `refill_below` and ends with a full tank.

Acidity: uptake of nitrate releases hydroxyl ions, so pH rises with photosynthesis (Marschner's Mineral Nutrition of
Higher Plants, rhizosphere chapter); acid is dosed against it, tap water raises it and concentrate lowers it:

    dpH/dt = rise_night + rise_sun q - 60 acid_strength u_acid - 0.6 u_nutrients
             + 0.3 (pH_tap - pH) 3.0 u_water / V                                              [pH/h]

Probes sit in the return flow and see the tank after a mixing lag, dP/dt = (tank - P) / mixing. Dosers act on the probe
value in pulses of two minutes with eighteen minutes of mixing between (`control.Doser`).

Air (T degC, x g/m3 of vapour): heat and vapour balances of a well-stirred bay, in the spirit of Bot (1983), with the
thermal mass of floor and canopy folded into the rates:

    dT/dt  = sun_heat q - (leakage + fan u_fan) (T - T_out) + heater h - 2.5 u_hum            [K/h]
    dx/dt  = -(leakage + 1.5 fan u_fan) (x - x_out) + (0.5 + transpiration q) d
             + humidifier u_hum                                                               [g/m3/h]
    RH     = 100 x / x_sat(T), condensing at 97 %;  dTw/dt = (T + 0.5 - Tw) / water_hours     [K/h]

The heater is proportional (h = 0..1 over 1.5 K below the night target); the evaporation of the humidifier's mist costs
heat; fan (temperature, and humidity over 78 %RH) and humidifier have hysteresis.
"""

from __future__ import annotations

import numpy as np

from hydro_assets.simulator.character import Character
from hydro_assets.simulator.control import Doser, Switch
from hydro_assets.simulator.weather import Weather, saturation_vapour, sunlight

SPIN_UP_HOURS = 24.0
_FILL = 3.0  # share of the tank per hour
_UPTAKE_HALF = 200.0  # ppm at which roots take up half their maximum


def integrate(c: Character, weather: Weather, hours: np.ndarray, step_hours: float) -> tuple[np.ndarray, np.ndarray]:
    """States [N, 6, S] and actuator states [N, 5, S] at N steps of `step_hours` at wall-clock `hours`.

    States are pH and TDS (ppm) at the probes, air temperature (degC), humidity (%RH), water temperature (degC) and the
    share of the tank that is full; actuators are in the order of `columns.ACTUATORS`.
    """
    systems = len(c.ph_target)
    dt = step_hours
    acid, concentrate = Doser(systems, 60.0 * dt), Doser(systems, 60.0 * dt)
    valve, humidifier, fan = Switch(systems), Switch(systems), Switch(systems)
    sun = sunlight(hours[:, None] - c.sun_delay, weather.cloud[:, None])  # [N, S]
    mixing = 1.0 - np.exp(-60.0 * dt / c.mixing_minutes)
    tds_low = c.tds_target * (1.0 - c.tds_hysteresis)
    volume, ph, tds = np.full(systems, 0.95), c.ph_target.copy(), c.tds_target.copy()
    probe_ph, probe_tds = ph, tds
    air, water, vapour = c.night_target + 2.0, c.night_target + 1.0, np.full(systems, 11.0)
    humidity = 100.0 * vapour / saturation_vapour(air)
    states = np.empty((len(hours), 6, systems))
    actuators = np.empty((len(hours), 5, systems), dtype=bool)
    for k, q in enumerate(sun):
        u_acid = acid.update(probe_ph > c.ph_target + c.ph_hysteresis, probe_ph < c.ph_target - c.ph_hysteresis)
        u_water = valve.update(volume < c.refill_below, volume >= 1.0)
        u_nutrients = concentrate.update(probe_tds < tds_low, probe_tds >= c.tds_target)
        u_mist = humidifier.update(humidity < c.humidity_low, humidity > c.humidity_low + c.humidity_hysteresis)
        warm = air > c.night_target  # the fan never dries the air at the cost of a cold crop
        u_fan = fan.update(
            (air > c.fan_on_above) | ((humidity > 78.0) & warm),
            (air < c.fan_on_above - c.fan_hysteresis) & ((humidity < 70.0) | ~warm),
        )
        states[k] = probe_ph, probe_tds, air, humidity, water, volume
        actuators[k] = u_acid, u_water, u_nutrients, u_mist, u_fan

        dryness = (1.0 - humidity / 100.0) / 0.4
        loss = c.water_loss_night + c.water_loss_sun * q * dryness
        inflow = _FILL * u_water / volume  # 1/h
        ph = ph + dt * (
            c.ph_rise_night
            + c.ph_rise_sun * q
            - 60.0 * c.acid_strength * u_acid
            - 0.6 * u_nutrients
            + 0.3 * (c.tap_ph - ph) * inflow
        )
        tds = tds + dt * (
            tds * loss / volume
            - (c.uptake_night + c.uptake_sun * q) * tds / (tds + _UPTAKE_HALF)
            + 60.0 * c.nutrient_strength * c.tds_target * u_nutrients
            + (c.tap_tds - tds) * inflow
        )
        volume = volume + dt * (_FILL * u_water - loss)
        probe_ph, probe_tds = probe_ph + mixing * (ph - probe_ph), probe_tds + mixing * (tds - probe_tds)

        heating = c.heater * np.clip((c.night_target - air) / 1.5, 0.0, 1.0)
        water = water + dt * (air + 0.5 - water) / c.water_hours
        vapour = vapour + dt * (
            (c.leakage + 1.5 * c.fan_exchange * u_fan) * (weather.vapour[k] - vapour)
            + (0.5 + c.transpiration_sun * q) * dryness
            + c.humidifier_rate * u_mist
        )
        air = air + dt * (
            c.sun_heat * q
            + heating
            - 2.5 * u_mist
            - (c.leakage + c.fan_exchange * u_fan) * (air - weather.temperature[k])
        )
        saturation = saturation_vapour(air)
        vapour = np.minimum(vapour, 0.97 * saturation)
        humidity = 100.0 * vapour / saturation
    return states, actuators
