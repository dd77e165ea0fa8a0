/**
 * Looks at the shape of a JSON text before it is parsed: a few bytes can make objects of a hundred times their size.
 * Whether the text is valid JSON is the parser's to say.
 */

/** A pod has some fifteen levels, and a few thousand objects. */
const MAX_LEVELS = 64;
const MAX_OPENED = 200_000;
/** Each value after the first in an object or an array has a comma before it. */
const MAX_VALUES = 300_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENING_BRACKET = 0x5b;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACKET = 0x5d;
const CLOSING_BRACE = 0x7d;

/** Bytes of memory that an object or an array, and a value, take at most beside their text. */
const OBJECT_TAKES = 64;
const VALUE_TAKES = 128;

export interface Shape {
  /** What is too much in the text, as a clause; undefined if it may be parsed. */
  readonly excess: string | undefined;
  /** Bytes of memory that the parsed objects take, beside the text. */
  readonly memory: number;
}

export function shapeOf(text: string): Shape {
  let level = 0;
  let opened = 0;
  let values = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE:
        i = endOfString(text, i + 1);
        break;
      case OPENING_BRACKET:
      case OPENING_BRACE:
        if (++level > MAX_LEVELS) return tooMuch(`more than ${MAX_LEVELS} levels`);
        if (++opened > MAX_OPENED) return tooMuch(`more than ${MAX_OPENED} objects and arrays`);
        break;
      case CLOSING_BRACKET:
      case CLOSING_BRACE:
        level -= 1;
        break;
      case COMMA:
        if (++values > MAX_VALUES) return tooMuch(`more than ${MAX_VALUES} values`);
        break;
      default:
    }
  }
  return { excess: undefined, memory: opened * OBJECT_TAKES + values * VALUE_TAKES };
}

function tooMuch(what: string): Shape {
  return { excess: `it has ${what}`, memory: 0 };
}

/** The position of the closing quote, or the length of the text. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from); end >= 0; end = text.indexOf('"', end + 1)) {
    // A quote after an odd number of backslashes belongs to the string.
    let before = end;
    while (before > from && text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
    if ((end - before) % 2 === 0) return end;
  }
  return text.length;
}
