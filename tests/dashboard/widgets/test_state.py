"""What the address says is what the widgets show, and the other way round."""

from typing import Any

from streamlit.testing.v1 import AppTest


def page():
    import streamlit as st

    from dashboard.widgets import state

    options = st.session_state.get("options", ["a", "b", "c"])
    st.json(
        {
            "one": state.one("One", options, key="one", what="run"),
            "buttons": state.one("Buttons", ["x", "y"], key="buttons", default="y", kind="buttons"),
            "several": state.several("Several", options, key="several", default=["a"], what="run", most=2),
            "switch": state.switch("Switch", key="switch", default=True),
            "search": state.search("Search", key="search"),
            "fixed": state.one("Fixed", ["l", "m"], key="fixed", fixed=True, what="order"),
        }
    )


def opened(**address: object) -> AppTest:
    test = AppTest.from_function(page, default_timeout=60)
    test.query_params.update(address)
    return run(test)


def run(test: AppTest) -> AppTest:
    test.run()
    assert not test.exception
    return test


def shown(test: AppTest) -> Any:
    import json

    return json.loads(test.json[0].value)


DEFAULTS = {"one": "a", "buttons": "y", "several": ["a"], "switch": True, "search": "", "fixed": "l"}
# What the data decides stands in every address; what never changes need not.
WRITTEN = {"one": "a", "buttons": "y", "several": "a"}


def test_without_an_address_the_defaults_hold_and_the_address_names_those_that_may_change():
    test = opened()
    assert shown(test) == DEFAULTS
    assert test.query_params == WRITTEN


def test_a_link_shows_the_same_after_the_defaults_have_changed():
    link = dict(opened().query_params)
    test = AppTest.from_function(page, default_timeout=60)
    test.query_params.update(link)
    test.session_state["options"] = ["newer", "a", "b"]
    assert shown(run(test)) == DEFAULTS
    assert shown(opened(**link)) == DEFAULTS


def test_a_link_is_followed():
    test = opened(one="c", buttons="x", several=["c", "b"], switch="off", search="happy face")
    expected = {**DEFAULTS, "one": "c", "buttons": "x", "several": ["c", "b"], "switch": False, "search": "happy face"}
    assert shown(test) == expected
    assert not test.caption
    run(test)
    assert shown(test) == expected


def test_the_address_follows_the_widgets():
    test = opened()
    test.selectbox(key="one").select("b")
    test.multiselect(key="several").set_value(["c", "a"])
    test.toggle(key="switch").set_value(False)
    test.text_input(key="search").set_value(" sad ")
    run(test)
    changed = {"one": "b", "several": ["c", "a"], "switch": "off", "search": "sad"}
    assert test.query_params == {**WRITTEN, **changed}
    link = dict(test.query_params)
    assert shown(opened(**link)) == shown(test)


def test_going_back_to_a_default_clears_the_address_of_fixed_ones_only():
    test = opened(one="b", search="x", fixed="m")
    test.selectbox(key="one").select("a")
    test.text_input(key="search").set_value("")
    test.selectbox(key="fixed").select("l")
    assert run(test).query_params == WRITTEN


def test_choosing_nothing_where_something_is_usual_is_a_choice_that_a_link_keeps():
    test = opened()
    test.multiselect(key="several").set_value([])
    run(test)
    assert test.query_params == {**WRITTEN, "several": ""}
    assert shown(opened(several=""))["several"] == []


def test_an_unknown_name_is_said_and_the_rest_of_the_link_holds():
    test = opened(one="gone", several=["lost", "b"], switch="perhaps", buttons="x")
    assert shown(test) == {**DEFAULTS, "several": ["b"], "buttons": "x"}
    said = " ".join(caption.value for caption in test.caption)
    assert "run that is not here: “gone”" in said
    assert "“lost”" in said
    assert "“b”" not in said


def test_what_was_said_stays_until_the_widget_is_used():
    test = opened(one="gone")
    assert "gone" in run(test).caption[0].value
    assert test.query_params["one"] == "gone"
    test.selectbox(key="one").select("c")
    assert not run(test).caption
    assert test.query_params["one"] == "c"


def test_an_address_changed_from_outside_wins_over_the_widget():
    test = opened(one="b")
    test.query_params["one"] = "c"
    assert shown(run(test))["one"] == "c"
    del test.query_params["one"]
    assert shown(run(test))["one"] == "a"


def test_options_that_vanish_do_not_break_the_page():
    test = opened(one="b", several=["b", "c"])
    test.session_state["options"] = ["a", "c"]
    assert shown(run(test)) == {**DEFAULTS, "one": "a", "several": ["c"]}
    assert not test.caption  # the link was good; nothing in it was ever missing
    assert test.query_params["one"] == "a"
    test.session_state["options"] = []
    assert shown(run(test))["one"] is None


def test_what_is_missing_is_called_by_its_article():
    assert "names an order that is not here: “z”" in opened(fixed="z").caption[0].value


def test_more_than_may_be_chosen_is_cut():
    assert shown(opened(several=["a", "b", "c"]))["several"] == ["a", "b"]


def by_split():
    import streamlit as st

    from dashboard.widgets import state

    split = state.one("Split", ["test", "validation"], key="split")
    default = {"test": ["a"], "validation": ["b", "c"]}[split or "test"]
    if not st.session_state.get("elsewhere"):
        st.json(state.several("Runs", ["a", "b", "c"], key="runs", default=default, of=split or ""))


def test_what_nobody_chose_follows_its_default_when_that_hangs_on_another_choice():
    test = run(AppTest.from_function(by_split, default_timeout=60))
    assert shown(test) == ["a"]
    test.selectbox(key="split").select("validation")
    assert shown(run(test)) == ["b", "c"]
    assert test.query_params == {"split": "validation", "runs": ["b", "c"]}
    test.query_params.update(split="test", runs="a")  # as going back does
    assert shown(run(test)) == ["a"]
    test.session_state["elsewhere"] = True
    test.query_params.clear()
    run(test)
    test.selectbox(key="split").select("validation")
    run(test)
    test.session_state["elsewhere"] = False
    assert shown(run(test)) == ["b", "c"]


def test_what_was_chosen_stays_when_the_default_changes():
    test = run(AppTest.from_function(by_split, default_timeout=60))
    test.multiselect(key="runs").set_value(["c", "a"])
    run(test)
    test.selectbox(key="split").select("validation")
    assert shown(run(test)) == ["c", "a"]
    linked = AppTest.from_function(by_split, default_timeout=60)
    linked.query_params.update(split="validation", runs="a")
    assert shown(run(linked)) == ["a"]


def two_pages():
    import streamlit as st

    from dashboard.widgets import state

    # AppTest cannot switch between pages that are functions; tests/browser does.
    if st.session_state.get("elsewhere"):
        st.text("elsewhere")
    else:
        st.text(state.one("One", st.session_state.get("options", ["a", "b"]), key="one", what="run"))


def moved(test: AppTest, *options: str) -> str:
    """What the same widget shows on another page, which has these options."""
    for elsewhere in (True, False):
        test.session_state["elsewhere"] = elsewhere
        test.session_state["options"] = list(options)
        test.query_params.clear()  # as a browser does
        run(test)
    return test.text[0].value


def test_coming_back_to_a_page_finds_it_as_it_was_left():
    test = run(AppTest.from_function(two_pages, default_timeout=60))
    test.selectbox(key="one").select("b")
    run(test)
    assert moved(test, "a", "b") == "b"
    assert test.query_params == {"one": "b"}


def test_a_choice_that_another_page_does_not_have_is_kept_for_its_own_without_a_word():
    test = run(AppTest.from_function(two_pages, default_timeout=60))
    test.selectbox(key="one").select("b")
    run(test)
    assert moved(test, "a", "c") == "a"
    assert not test.caption
    assert not run(test).caption
    assert moved(test, "a", "b") == "b"
    assert moved(test, "a", "c") == "a"
    test.selectbox(key="one").select("c")  # now it is chosen anew
    run(test)
    assert moved(test, "a", "b", "c") == "c"


def whole_page():
    import streamlit as st

    from dashboard.widgets import state

    with state.one_address():
        state.one("One", ["a", "b"], key="one")
        state.one("Two", ["c", "d"], key="two")
        state.search("Search", key="search")
        st.text(str(len(st.query_params)))


def test_a_page_writes_its_address_once_when_it_is_drawn():
    test = AppTest.from_function(whole_page, default_timeout=60)
    test.query_params.update(search="x", other="kept")
    run(test)
    assert test.text[0].value == "2"
    assert test.query_params == {"one": "a", "two": "c", "search": "x", "other": "kept"}
    test.selectbox(key="two").select("d")
    test.text_input(key="search").set_value("")
    assert run(test).query_params == {"one": "a", "two": "d", "other": "kept"}
    test.query_params["two"] = "c"
    assert run(test).selectbox(key="two").value == "c"
