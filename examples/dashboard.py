"""A farm in the browser, from its Delta tables alone: HYDRO_HOME=.hydro streamlit run examples/dashboard.py"""

from datetime import timedelta

import altair as alt
import polars as pl
import streamlit as st

from hydro_assets.settings_sources import load_settings

settings = load_settings()
tables = f"{settings.table_root}/{settings.catalog}/predictions"
st.set_page_config("Farm", layout="wide")
st.title("What the farm will do")

outlook = pl.read_delta(f"{tables}/system_outlook")
likely = outlook.filter(~pl.col("is_in_band") | (pl.col("leaving_probability_6h") >= 0.5))
left, middle, right = st.columns(3)
left.metric("systems", outlook["system_id"].n_unique())
middle.metric("outside their band, or likely to be within 6 h", likely.height)
right.metric("newest reading (UTC)", f"{outlook['timestamp'].max():%d %b %H:%M}")
shown = ["system_id", "target", "current_value", "band_low", "band_high", "prediction_1h", "prediction_6h"]
st.dataframe(outlook.select(*shown, "leaving_probability_1h", "leaving_probability_6h"), hide_index=True)

system = st.sidebar.selectbox("system", outlook["system_id"].unique().sort())
target = st.sidebar.selectbox("target", outlook["target"].unique().sort())
accuracy = pl.read_delta(f"{tables}/prediction_accuracy")
lead = st.sidebar.select_slider("minutes ahead", accuracy["lead_minutes"].unique().sort())
rows = pl.scan_delta(f"{tables}/forecasts").filter(system_id=system, target=target, lead_minutes=lead)
day = rows.filter(pl.col("prediction_for") >= pl.col("prediction_for").max() - timedelta(days=1)).collect()
chart = alt.Chart(day).encode(alt.X("prediction_for:T", title="UTC"))
value = {"title": target, "scale": alt.Scale(zero=False)}
band = chart.mark_area(opacity=0.3).encode(alt.Y("lower_80:Q", **value), y2="upper_80:Q")
line = chart.mark_line().encode(alt.Y("ensemble_avg:Q", **value))
st.subheader(f"{target} of {system}, {lead:g} minutes ahead: forecast and 80 % interval")
st.altair_chart(band + line)

errors = accuracy.filter(system_id="all", target=target, model="ensemble")
st.subheader("Mean absolute error by day, beside the best baseline")
st.line_chart(errors.filter(lead_minutes=lead).sort("date"), x="date", y=["mae", "baseline_mae"])
