"""A result as a page."""

from ptp_core.benchmark.charts import bench_figure


def test_the_page_shows_every_part(result):
    figure = bench_figure(result)
    assert len(figure.layout.annotations) == 12
    assert {t.name for t in figure.data} >= {"ar", "pqd", "independent", "cost"}
    bars = next(t for t in figure.data if t.name == "pqd" and t.hovertext is not None)
    first = result.analysis()["pqd"]["by_position"][0]
    assert bars.y[0] == first["share"]
    assert bars.hovertext[0] == f"{first['right']} of {first['count']} drafts"
