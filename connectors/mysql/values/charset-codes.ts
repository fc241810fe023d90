/** What iconv-lite has not, or otherwise than the servers; found by asking MySQL 9.7 and MariaDB 10.11, which agree, for every code. */

/** The upper half of single-byte sets; `?` where the server has no character and answers `?` itself. */
export const upperHalves: Readonly<Record<string, string>> = {
  dec8:
    '\u0080\u0081\u0082\u0083\u0084\u0085\u0086\u0087\u0088\u0089\u008a\u008b\u008c\u008d\u008e\u008f\u0090\u0091\u0092\u0093\u0094\u0095\u0096\u0097\u0098\u0099\u009a\u009b\u009c\u009d\u009e\u009f\u00a0¡¢£?¥?§¤©ª«????°±²³?µ¶·?¹º»¼½?¿' +
    'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏ?ÑÒÓÔÕÖŒØÙÚÛÜŸ?ßàáâãäåæçèéêëìíîï?ñòóôõöœøùúûüÿ??',
  geostd8:
    '€?‚?„…†‡?‰?‹?????‘’“”•–—???›????\u00a0¡¢£¤¥¦§¨©ª«¬\u00ad®¯°±²³´µ¶·¸¹º»¼½¾¿' +
    'აბგდევზჱთიკლმნჲოპჟრსტჳუფქღყშჩცძწჭხჴჯჰჵ???????????????????????№??',
  hp8:
    '\u0080\u0081\u0082\u0083\u0084\u0085\u0086\u0087\u0088\u0089\u008a\u008b\u008c\u008d\u008e\u008f\u0090\u0091\u0092\u0093\u0094\u0095\u0096\u0097\u0098\u0099\u009a\u009b\u009c\u009d\u009e\u009f\u00a0ÀÂÈÊËÎÏ´ˋˆ¨˜ÙÛ₤¯Ýý°ÇçÑñ¡¿¤£¥§ƒ¢' +
    'âêôûáéóúàèòùäëöüÅîØÆåíøæÄìÖÜÉïßÔÁÃãÐðÍÌÓÒÕõŠšÚŸÿÞþ·µ¶¾—¼½ªº«■»±?',
  keybcs2:
    'ČüéďäĎŤčěĚĹÍľĺÄÁÉžŽôöÓůÚýÖÜŠĽÝŘťáíóúňŇŮÔšřŕŔ¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐' +
    '└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0',
};

/** Swedish letters in place of ASCII's signs. */
export const swe7: Readonly<Record<string, string>> = {
  '@': 'É',
  '[': 'Ä',
  '\\': 'Ö',
  ']': 'Å',
  '^': 'Ü',
  '`': 'é',
  '{': 'ä',
  '|': 'ö',
  '}': 'å',
  '~': 'ü',
  '\u007f': '?',
};

/** Runs of characters by the code of the first; the codes go on as the set's do. */
export type Runs = readonly (readonly [first: number, characters: string])[];

export const big5: Runs = [
  [0xa145, '•'],
  [0xa14e, '､'],
  [0xa15a, '\ufffd'],
  [0xa1c2, '‾\ufffd'],
  [0xa1c5, '\ufffd'],
  [0xa1e3, '∼'],
  [0xa1f2, '♁☉'],
  [0xa1fe, '\ufffd'],
  [0xa240, '\ufffd／＼'],
  [0xa244, '¥'],
  [0xa246, '¢£'],
  [0xa2cc, '\ufffd'],
  [0xa2ce, '\ufffd'],
  [
    0xc6a1,
    'ヾゝゞ々ぁあぃいぅうぇえぉおかがきぎくぐけげこごさざしじすずせぜそぞただちぢっつづてでとどなにぬねのはばぱひびぴふぶぷへ' +
      'べぺほぼぽまみむめもゃやゅゆょよらりるれろゎわゐゑをんァアィイゥウェエォオカガキギクグケゲコゴサザシジスズセゼソゾタダチ' +
      'ヂッツヅテデトドナニヌネノハバパヒビピフブプヘベペホボポマミムメモャヤュユョヨラリルレロヮワヰヱヲンヴヵヶДЕЁЖЗИЙ' +
      'КЛМУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюя①②③④⑤⑥⑦⑧⑨⑩⑴' +
      '⑵⑶⑷⑸⑹⑺⑻⑼⑽',
  ],
];

export const ujis: Runs = [
  [0xa1c0, '\\〜‖'],
  [0xa1dd, '−'],
  [0xa1f1, '¢£'],
  [0xa2cc, '¬'],
  [0x8fa2b7, '~'],
];

export const eucjpms: Runs = [
  [0x8fa2c3, '￤'],
  [
    0x8ff3f3,
    'ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ＇＂㈱№℡炻仼僴凬匇匤﨎咊坙﨏塚增寬峵嵓﨑德悅愠敎昻晥晴朗栁﨓﨔橫櫢淸淲瀨凞猪甁' +
      '皂皞益礰礼神祥福竧靖精綠緖羽荢﨟薰蘒﨡蠇諸譿賴赶﨣﨤逸郞都鄕﨧﨨閒隆﨩霻靍靑飯飼館馞髙魲鶴黑',
  ],
];

export const gb18030: Runs = [[0xa3a0, '\ue5e5']];
