"""Files with the columns of well-known data sets; the texts are made up."""

import csv
import json

from support.tool_files.made import (
    ASCII,
    LETTERS,
    NAMES,
    NUMBER_OF,
    PLAIN,
    WESTERN,
    Pairs,
    labels_first,
    numbered,
    objects,
    read,
    refused,
    renamed,
    table,
    texts_first,
    unquoted,
)

_SPAM = renamed(WESTERN, dict(zip(NAMES, ("spam", "ham", "ham"), strict=True)))
_ASCII_SPAM = renamed(ASCII, dict(zip(NAMES, ("spam", "ham", "ham"), strict=True)))
_MOODS = renamed(LETTERS, dict(zip(NAMES, ("negative", "positive", "neutral"), strict=True)))
_FROM_1 = {name: str(number) for number, name in enumerate(NAMES, 1)}
_BINARY = renamed(LETTERS, {NAMES[0]: "0", NAMES[1]: "1", NAMES[2]: "0"})
_AIRLINE = (
    "tweet_id,airline_sentiment,airline_sentiment_confidence,negativereason,negativereason_confidence,airline,"
    "airline_sentiment_gold,name,negativereason_gold,retweet_count,text,tweet_coord,tweet_created,tweet_location,"
    "user_timezone"
)
_CLOTHING = (
    ",Clothing ID,Age,Title,Review Text,Rating,Recommended IND,Positive Feedback Count,Division Name,"
    "Department Name,Class Name"
)
_FOOD = "Id,ProductId,UserId,ProfileName,HelpfulnessNumerator,HelpfulnessDenominator,Score,Time,Summary,Text"
_TOXIC = "id,comment_text,toxic,severe_toxic,obscene,threat,insult,identity_hate"
_TOXIC_RANGE = "toxic..identity_hate"


def _sms(pairs: Pairs) -> str:
    return table("v1,v2,,,", [[label, text, "", "", ""] for label, text in pairs], end="\r\n")


def _airline() -> str:
    row = "57030613{0},{1},0.34,,,Airborne,,user{0},,0,{2},,2026-02-24 11:35:52 -0800,,"
    rows = [row.format(i, label, "|").split(",") for i, (label, _) in enumerate(_MOODS)]
    texts = (text for _, text in _MOODS)
    return table(_AIRLINE, [[next(texts) if cell == "|" else cell for cell in cells] for cells in rows])


def _clothing() -> str:
    rows = [
        [str(i), "767", str(30 + i), "A title", text, _FROM_1[label], "1", str(i), "General", "Tops", label]
        for i, (label, text) in enumerate(LETTERS)
    ]
    return table(_CLOTHING, rows)


def _food() -> str:
    rows = [
        [str(i), f"B00{i}", f"A{i}", f"user{i}", "1", "1", _FROM_1[label], "1303862400", "In short", text]
        for i, (label, text) in enumerate(LETTERS)
    ]
    return table(_FOOD, rows)


def _sentiment140() -> str:
    days = "Mon Apr 06 22:19:{:02} PDT 2026"
    rows = [
        [
            {"0": "0", "1": "4", "2": "2"}[NUMBER_OF[label]],
            str(1467810369 + i),
            days.format(i),
            "NO_QUERY",
            f"user{i}",
            text,
        ]
        for i, (label, text) in enumerate(ASCII)
    ]
    return table("", rows, quote=csv.QUOTE_ALL)


_POLARITY = renamed(ASCII, dict(zip(NAMES, "042", strict=True)))
_YELP = [
    {
        "review_id": f"r{i}",
        "user_id": f"u{i}",
        "business_id": "b",
        "stars": float(_FROM_1[label]),
        "useful": 0,
        "funny": 0,
        "cool": 0,
        "text": text,
        "date": "2026-07-07 22:09:11",
    }
    for i, (label, text) in enumerate(LETTERS)
]
_NEWS = [
    {
        "link": f"https://example.com/{i}",
        "headline": f"Headline {i}",
        "category": label.upper(),
        "short_description": text,
        "authors": "",
        "date": "2026-09-23",
    }
    for i, (label, text) in enumerate(LETTERS)
]
_UPPER = [(label.upper(), text) for label, text in LETTERS]
_HEADLINES = [(label.upper(), f"Headline {i}") for i, (label, _) in enumerate(LETTERS)]
_COLA = [["gj04", NUMBER_OF[label], "", text] for label, text in PLAIN]
_AG_NEWS = [[_FROM_1[label], f"Title {i}", text] for i, (label, text) in enumerate(LETTERS)]


def _jigsaw() -> str:
    rows = (
        [f"{i:016x}", text, str(i % 2), "0", str(i % 3 % 2), "0", "0", "0"]
        for i, (_, text) in enumerate(LETTERS)
    )
    return table(_TOXIC, rows)


def _toxic_labels(i: int) -> tuple[str, ...]:
    return (*(["obscene"] if i % 3 % 2 else []), *(["toxic"] if i % 2 else []))


KNOWN_SETS = [
    refused("sms-spam", "spam.csv", _sms(WESTERN).encode("latin-1"), "UTF-8", "encoding"),
    refused(
        "sms-spam-encoding-given",
        "spam.csv",
        _sms(_SPAM).encode("latin-1"),
        "v1",
        "v2",
        "text_column",
        encoding="latin-1",
    ),
    refused("sms-spam-ascii", "spam.csv", _sms(_ASCII_SPAM), "v1", "v2", "label_column", "text_column"),
    read(
        "sms-spam-given",
        "spam.csv",
        _sms(_SPAM).encode("latin-1"),
        _SPAM,
        encoding="latin-1",
        label_column="v1",
        text_column="v2",
    ),
    read("sms-spam-category-message", "spam.csv", table("Category,Message", labels_first())),
    read(
        "imdb",
        "IMDB Dataset.csv",
        table("review,sentiment", [[f"{text}<br /><br />", label] for label, text in _MOODS]),
        [(label, f"{text}<br /><br />") for label, text in _MOODS],
    ),
    refused("airline-tweets", "Tweets.csv", _airline(), "airline_sentiment", "label_column"),
    read("airline-tweets-given", "Tweets.csv", _airline(), _MOODS, label_column="airline_sentiment"),
    read("ag-news", "train.csv", table("Class Index,Title,Description", _AG_NEWS), renamed(LETTERS, _FROM_1)),
    read(
        "ag-news-titles-joined",
        "train.csv",
        table("Class Index,Title,Description", _AG_NEWS),
        [(_FROM_1[label], f"Title {i} {text}") for i, (label, text) in enumerate(LETTERS)],
        title_column="Title",
    ),
    refused("jigsaw", "train.csv", _jigsaw(), "multi-label", f"label_columns={_TOXIC_RANGE}"),
    read(
        "jigsaw-given",
        "train.csv",
        _jigsaw(),
        [(_toxic_labels(i), text) for i, (_, text) in enumerate(LETTERS)],
        label_columns=_TOXIC_RANGE,
    ),
    refused("womens-clothing", "reviews.csv", _clothing(), "Rating", "Class Name", "label_column"),
    read(
        "womens-clothing-given",
        "reviews.csv",
        _clothing(),
        label_column="Class Name",
        text_column="Review Text",
    ),
    refused("amazon-fine-food", "Reviews.csv", _food(), "Score", "label_column"),
    read("amazon-fine-food-given", "Reviews.csv", _food(), renamed(LETTERS, _FROM_1), label_column="Score"),
    refused("sentiment140", "tweets.csv", _sentiment140(), "label_column", "text_column"),
    read(
        "sentiment140-given",
        "tweets.csv",
        _sentiment140(),
        _POLARITY,
        label_column="1",
        text_column="6",
        header="false",
    ),
    read(
        "sentiment140-columns-given",
        "tweets.csv",
        _sentiment140(),
        _POLARITY,
        label_column="1",
        text_column="6",
    ),
    read("yelp", "yelp_academic_dataset_review.json", objects(_YELP), renamed(LETTERS, _FROM_1)),
    read("bbc-news", "bbc-text.csv", table("category,text", labels_first())),
    read(
        "bbc-news-articles",
        "BBC News Train.csv",
        table("ArticleId,Text,Category", numbered(texts_first(), 1833)),
    ),
    read("banking77", "train.csv", table("text,category", texts_first())),
    read("intents", "train.csv", table("intent,utterance", labels_first())),
    read(
        "quora",
        "train.csv",
        table(
            "qid,question_text,target",
            [[f"{i:020x}", text, label] for i, (label, text) in enumerate(_BINARY)],
        ),
        _BINARY,
    ),
    read(
        "disaster-tweets",
        "train.csv",
        table(
            "id,keyword,location,text,target",
            [[str(i), "", "Somewhere" * (i % 2), text, label] for i, (label, text) in enumerate(_BINARY)],
        ),
        _BINARY,
    ),
    read(
        "fake-news",
        "train.csv",
        table(
            "id,title,author,text,label",
            [[str(i), f"Title {i}", "Someone", text, label] for i, (label, text) in enumerate(_BINARY)],
        ),
        _BINARY,
    ),
    refused(
        "clinc150", "data_full.json", json.dumps({"train": texts_first(), "val": texts_first()[:6]}), "train"
    ),
    refused(
        "trec",
        "train.csv",
        "".join(f"{label.upper()[:4]}:manner {text} ?\n" for label, text in PLAIN),
        "column",
    ),
    read(
        "sst2",
        "train.tsv",
        unquoted("sentence,label", texts_first(renamed(PLAIN, NUMBER_OF))),
        renamed(PLAIN, NUMBER_OF),
    ),
    refused("cola", "in_domain_train.tsv", unquoted("", _COLA), "label_column", "text_column"),
    read(
        "cola-given",
        "in_domain_train.tsv",
        unquoted("", _COLA),
        renamed(PLAIN, NUMBER_OF),
        label_column="2",
        text_column="4",
        header="false",
    ),
    refused("emotions", "train.csv", unquoted("", texts_first(PLAIN), delimiter=";"), "label_column"),
    read(
        "emotions-given",
        "train.csv",
        unquoted("", texts_first(PLAIN), delimiter=";"),
        PLAIN,
        label_column="2",
        text_column="1",
        header="false",
    ),
    refused("financial-phrases", "train.csv", unquoted("", texts_first(PLAIN), delimiter="@"), "column"),
    read(
        "financial-phrases-given",
        "train.csv",
        unquoted("", texts_first(PLAIN), delimiter="@"),
        PLAIN,
        delimiter="@",
        label_column="2",
        text_column="1",
        header="false",
    ),
    read("news-categories", "News_Category_Dataset_v3.json", objects(_NEWS), _HEADLINES),
    read(
        "news-categories-given",
        "News_Category_Dataset_v3.json",
        objects(_NEWS),
        _UPPER,
        text_column="short_description",
    ),
]
