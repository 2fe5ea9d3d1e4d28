"""Texts that tokenizers and numbers trip over: scripts of the world, emoji, addresses, digits, casing, lengths."""

ODD_TEXTS = (
    "The river and the castle.",
    "THE SENATE AND THE MAYOR, in CamelCase and sMALL",
    "Straße, naïve café, Ångström, Å, Dvořák, Ελλάδα",
    "Съешь ещё этих мягких французских булок",
    "敏捷的棕色狐狸。すばやい茶色の狐、ｶﾀｶﾅ",
    "빠른 갈색 여우가 뛰어넘다",
    "الثعلب البني السريع يقفز",
    "השועל החום המהיר",
    "तेज़ भूरी लोमड़ी ज़ ज़",
    "สุนัขจิ้งจอกสีน้ำตาล",
    "\N{GRINNING FACE}\N{WHITE HEAVY CHECK MARK} so good \N{WOMAN}\N{ZERO WIDTH JOINER}\N{PERSONAL COMPUTER} ❤️",
    "See https://www.example.com/a/b?c=d&e=%20f#g or mail to some.one+tag@example.org",
    "1,234.50 € + 3.14e-10 = ½ × ①②③ 2026-11-29T04:47:06Z",
    "ＦＵＬＬ　ＷＩＤＴＨ ﬁne ﬂow ™ №",
    "  leading, \t tabs \n\n and   many    spaces  ",
    "He said: ``quoted'' and \"it's\" don't—won’t… <b>bold</b> & co.",
    "[CLS] special [MASK] tokens </s> <s> <pad> in the text",
    "\N{ZERO WIDTH SPACE}",
    "x",
    "the engine of the comet, " * 120,
)
