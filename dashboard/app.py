"""The pages and what they share. Start it with ``python -m dashboard``, or ``streamlit run dashboard/app.py``."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

import streamlit as st
from PIL import Image

# Streamlit puts the folder of this file on the path, not the one that holds the package.
if (root := str(Path(__file__).resolve().parents[1])) not in sys.path:
    sys.path.insert(0, root)

from dashboard.analysis.groups import usable
from dashboard.analysis.live import going
from dashboard.analysis.names import names
from dashboard.charts.look import model_color
from dashboard.data import PUBLISHED, Run, are_kept, prediction_problems, scan, scores
from dashboard.data.pictures import Pictures, shared_pictures
from dashboard.options import Options, OptionsError, read_options
from dashboard.widgets import state
from dashboard.widgets.figures import savable_figures
from dashboard.widgets.links import link
from dashboard.widgets.steps import one_step_an_act

# (module in views/, title, icon); the first page opens.
PAGES = (
    ("overview", "Overview", "leaderboard"),
    ("ablation", "Ablations", "account_tree"),
    ("cross_dataset", "Cross data set", "compare_arrows"),
    ("run", "Run", "monitoring"),
    ("compare", "Compare", "stacked_line_chart"),
    ("confusion", "Confusion", "grid_on"),
    ("datasets", "Data sets", "database"),
)
_WITH_FACES = ("run", "confusion", "datasets")
# Seconds between looks at the folders: often while something trains.
_SOON, _LATER = 5, 30
# Fewer runs are read in a moment.
_MANY = 20
_MOST_TRAINING = 5
_STYLE = Path(__file__).with_name("page.css")

_Signs = tuple[tuple[Path, str, int, int], ...]


def main() -> None:
    """One run of the script: look at the folders, draw the chosen page."""
    st.set_page_config(page_title="ResEmoteNet results", page_icon=_icon(), layout="wide")
    st.html(f"<style>{_STYLE.read_text(encoding='utf-8')}</style>")
    try:
        options = read_options(sys.argv[1:])
    except OptionsError as error:
        st.error(str(error), icon=":material/folder_off:")
        return
    runs = scan(options.folders)
    _read_predictions(runs)
    pictures = None if options.data is None else shared_pictures(options.data)
    pages = [
        st.Page(
            _page(module, runs, pictures),
            title=title,
            icon=f":material/{icon}:",
            url_path=module,
            default=module == "overview",
        )
        for module, title, icon in PAGES
    ]
    # Above the page, and nothing beside it: a sidebar is drawn late, and pushes the page aside.
    chosen = st.navigation(pages, position="top")
    training = [run for run in runs if run.state == "running"]
    if training:
        _training(training, names(runs))
    with state.one_address():
        chosen.run()
    _foot(options, runs)
    # What is not seen comes last: before the page it would take up lines until its style is there.
    one_step_an_act()
    savable_figures()
    if len(options.folders) > 1:  # the published runs alone never change
        _watch(options, _signs(runs), _SOON if training else _LATER)


def _read_predictions(runs: Sequence[Run]) -> None:
    """Compute what all pages need, showing how far it is; the server keeps it until a run changes."""
    fresh = [run for run in usable(runs) if not are_kept(run)]
    if len(fresh) < _MANY:
        return
    bar = st.progress(0.0)
    for number, run in enumerate(fresh):
        bar.progress(number / len(fresh), text=f"Reading the predictions of {len(fresh):,} runs for the first time")
        scores(run)
    bar.empty()


@st.cache_resource(show_spinner=False)
def _icon() -> Image.Image:
    """Three bars. Drawn here, because Streamlit has a browser fetch icons by name from another server."""
    picture = Image.new("RGB", (32, 32), "#FFFFFF")
    for left, height, model in ((3, 12, "resemotenet"), (12, 20, "resemotenet_c2"), (21, 27, "resemotenet_c3")):
        picture.paste(model_color(model), (left, 30 - height, left + 8, 30))
    return picture


def _page(module: str, runs: Sequence[Run], pictures: Pictures | None) -> Callable[[], None]:
    def draw() -> None:
        # Imported when it is opened: one page's libraries are no other page's waiting time.
        view = import_module(f"dashboard.views.{module}")
        if module in _WITH_FACES and pictures is not None and not pictures.are_read:
            bar = st.progress(0.0, text=f"Reading the faces of {pictures.path.name} for the first time")
            pictures.problem()
            bar.empty()
        view.show(runs, pictures)

    return draw


def _foot(options: Options, runs: Sequence[Run]) -> None:
    """Where all this comes from, and what is wrong with some of it."""
    states = {state: sum(run.state == state for run in runs) for state in ("finished", "running")}
    odd = [(run, problem) for run in runs for problem in _problems(run)]
    st.divider()
    st.caption(
        f"**{states['finished']:,}** finished · **{states['running']:,}** running · **{len(odd):,}** with a problem"
    )
    if odd:
        with st.expander(f"Runs with a problem ({len(odd)})", icon=":material/report:"):
            for run, problem in odd[:50]:
                st.markdown(f"`{run.id}`  \n:small[**{run.state}**: {_plain(problem)}]")
            if len(odd) > 50:
                st.caption(f"and {len(odd) - 50} more")
    with st.expander("Where this comes from", icon=":material/folder:"):
        for folder in options.folders:
            st.markdown("the published runs" if folder == PUBLISHED else f"`{folder}`")
        if options.data is None:
            st.caption("No pictures: start with `--data PATH` to see the faces behind the numbers.")
        else:
            st.markdown(f"pictures: `{options.data}`")


@st.fragment(run_every=_SOON)
def _training(training: Sequence[Run], called: Mapping[str, str]) -> None:
    """How far runs are that still train, looked at again every few seconds without drawing the page anew."""
    for run in training[:_MOST_TRAINING]:
        link("run", called[run.id], icon="timelapse", run=run.id)
        state_of = going(run)
        st.progress(state_of.share, text=state_of.text.capitalize())
    if len(training) > _MOST_TRAINING:
        st.caption(f"and {len(training) - _MOST_TRAINING} more")


def _problems(run: Run) -> list[str]:
    """What keeps a run, or a part of it, out of the tables; a running one has no problem."""
    first = [] if run.problem is None else [run.problem]
    return [*first, *prediction_problems(run)] if run.state == "finished" else first


def _plain(text: str) -> str:
    """Without a meaning to Markdown; what others wrote stands in it."""
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]<>#|$~:" else letter for letter in text)


def _watch(options: Options, known: _Signs, seconds: int) -> None:
    """Draw the page anew as soon as something in the folders has changed; choices stay."""
    looked = False

    @st.fragment(run_every=seconds)
    def look() -> None:
        nonlocal looked
        # The first time is part of the page, which was drawn from a look of this moment.
        if looked and _glance(options.folders) != known:
            st.rerun()
        looked = True

    look()


@st.cache_resource(ttl=1, max_entries=8, show_spinner=False)
def _glance(folders: tuple[Path, ...]) -> _Signs:
    """One look a second, however many visitors there are."""
    return _signs(scan(folders))


def _signs(runs: Sequence[Run]) -> _Signs:
    # Runs are read again only when a file of theirs changed; the objects within tell.
    return tuple((run.path, run.state, id(run.epochs), id(run.config)) for run in runs)


if __name__ == "__main__":
    main()
