/** What Kubernetes accepts as keys and values of labels and annotations (k8s.io/apimachinery/pkg/util/validation). */
import type { StringMap } from './json.ts';

/** The most bytes that all annotations of an object may have together, keys and values. */
export const MAX_ANNOTATION_BYTES = 262_144;

const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX_LABEL = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
const PREFIX = new RegExp(`^${PREFIX_LABEL}(?:\\.${PREFIX_LABEL})*$`);
const MAX_PREFIX_LENGTH = 253;

/** Whether an object can have this name: a DNS-1123 subdomain, which all names of pods and namespaces are. */
export function isObjectName(name: string): boolean {
  return name.length <= MAX_PREFIX_LENGTH && PREFIX.test(name);
}

/** What is wrong with a label key, as a clause; undefined if Kubernetes accepts it. */
export function problemOfLabelKey(key: string): string | undefined {
  const slash = key.indexOf('/');
  const name = key.slice(slash + 1);
  if (slash >= 0) {
    const prefix = key.slice(0, slash);
    if (prefix.length > MAX_PREFIX_LENGTH || !PREFIX.test(prefix))
      return `has a prefix that is no DNS subdomain of at most ${MAX_PREFIX_LENGTH} characters`;
  }
  return NAME.test(name)
    ? undefined
    : "has a name that is not 1 to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends";
}

/** As problemOfLabelKey; annotation keys may have capitals in their prefix. */
export function problemOfAnnotationKey(key: string): string | undefined {
  return problemOfLabelKey(key.toLowerCase());
}

/** What is wrong with a label value, as a clause; undefined if Kubernetes accepts it. */
export function problemOfLabelValue(value: string): string | undefined {
  return value === '' || NAME.test(value)
    ? undefined
    : "is not at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends";
}

/** Whether Kubernetes accepts annotations of this size. @param more bytes that are to be added to the annotations */
export function annotationsFit(annotations: StringMap, more: number): boolean {
  let characters = more;
  for (const [key, value] of annotations) characters += key.length + value.length;
  // A character has one byte at least, and three at most, as a pair of surrogates counts as two characters.
  if (characters > MAX_ANNOTATION_BYTES) return false;
  if (characters * 3 <= MAX_ANNOTATION_BYTES) return true;
  let bytes = more;
  for (const [key, value] of annotations) bytes += utf8Length(key) + utf8Length(value);
  return bytes <= MAX_ANNOTATION_BYTES;
}

/** The bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const isSurrogate = code >= 0xd800 && code <= 0xdfff;
    bytes += code < 0x80 ? 1 : code < 0x800 || isSurrogate ? 2 : 3;
  }
  return bytes;
}
