"""What model cards say that does not depend on a run: limits, law, sources."""

DRAWN = "Faces drawn by a program, to try things out. **Nothing here says anything about people.**"

DRAWN_FIRST = "**Trained on faces drawn by a program, to try things out: what it says of people means nothing.**"

TAUGHT = {
    "ferplus": "Taught with the shares of the ten FER+ annotators' votes (Barsoum et al. 2016) instead of one label "
    "for each face.",
    "fer2013": "Taught with FER2013's own labels.",
    "synthetic": "",
}

# Which faces of a split a label definition has an answer for, where it is not every face.
KEPT = {
    "ferplus-strict": "those on which more than half of ten people agree",
    "ferplus-usual": "those on which more than half of ten people agree once single votes are dropped",
}

LIMITS = """\
- It says what people would *call* the expression of a face, from one still, cropped picture. That is not what a person
  feels, and not who they are.
- Accuracy here is on given face crops of one data set. With other cameras, ages, poses and light expect less; how much
  less is not known. A face detector adds its own mistakes.
- How accuracy differs between groups of people was not measured (FER2013, for one, has no demographic labels), and it
  should be expected to differ.
- Seven words do not cover what faces show; the model always answers with one of them, even where none fits."""

DRAWN_LIMITS = """\
- It was trained on drawings. Its answers about people mean nothing.
- It serves to try out training, loading and serving without data."""

INTENDED = """\
For research on expression recognition, for teaching, and for demonstrations with people who know and agree.

Not for decisions about people: hiring, proctoring, policing, credit, insurance, lie detection, health. Not for watching
people without their knowledge."""

LAW = """\
In the European Union, Regulation (EU) 2024/1689 (AI Act) forbids systems that infer emotions of people at the workplace
or in education, except for medical or safety reasons (Article 5(1)(f)). Other emotion recognition is listed as
high-risk (Annex III, 1(c)), and the people exposed to it must be told (Article 50(3)). Who deploys this model has to
ensure that; this is a note, not legal advice."""

SOURCES = {
    "resemotenet": "Roy et al. 2024, [ResEmoteNet: Bridging Accuracy and Loss Reduction in Facial Emotion Recognition]"
    "(https://doi.org/10.1109/LSP.2024.3521321); [released code](https://github.com/ArnabKumarRoy02/ResEmoteNet)",
    "emonext": "El Boudouri and Bohi 2023, EmoNeXt: an Adapted ConvNeXt for Facial Emotion Recognition",
}
