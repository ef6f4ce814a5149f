"""The figure of how delays were chosen."""

from dynred.data.transforms.delays import Delays, DelaysSpec
from dynred.data.transforms.scaling import ScalingSpec
from dynred.report.figures.delays import DelayCurves
from dynred.testing.transforms import waves


class Seen:
    """As much of a context as the figure looks at."""

    def __init__(self, *specs):
        self.model = self
        self.transforms = tuple(spec.fit(waves()) for spec in specs)


def test_it_shows_delays_that_the_data_chose_and_no_others():
    figure = DelayCurves()
    assert figure.applies(Seen(ScalingSpec(), DelaysSpec()))
    assert not figure.applies(Seen(ScalingSpec(), DelaysSpec(3, 2)))
    drawing = figure.draw(Seen(DelaysSpec()))
    left, right = drawing.axes
    delays = Seen(DelaysSpec()).transforms[0]
    assert isinstance(delays, Delays)
    assert len(left.lines[0].get_xdata()) == len(delays.information)
    assert left.lines[1].get_xdata()[0] == delays.apart
    assert len(right.lines[0].get_xdata()) == len(delays.false)
