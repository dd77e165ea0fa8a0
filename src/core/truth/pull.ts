/**
 * What the kubelet's Event says of an image of a pod: how long it was pulled, or that it was there already. Only Events with
 * the reason `Pulled` count, and none of our own.
 */
import { isObject, partOf, readText, type JsonObject } from '../kubernetes/json.ts';
import { parseTime } from '../kubernetes/time.ts';

export interface Pull {
  readonly podUid: string;
  readonly namespace: string;
  readonly podName: string;
  /** As the pod writes it. */
  readonly image: string;
  /** Seconds; 0 if the image was there already. */
  readonly seconds: number;
  readonly wasPresent: boolean;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** Restricts a list or a watch of Events to those that this file reads. */
export const PULLED = 'reason=Pulled,involvedObject.kind=Pod';

const PRESENT = /^Container image "([^"]{1,800})" already present on machine/;
const TOOK = /^Successfully pulled image "([^"]{1,800})" in ([\d.hmsµn]{1,40})/;
/** The names under which we record Events. */
const OURS = /^imagecache-/;

/** @returns undefined for an Event that says nothing about an image */
export function readPull(event: JsonObject): Pull | undefined {
  const { uid, namespace, name, kind } = partOf(event, 'involvedObject');
  const component = readText(partOf(event, 'source')['component']) ?? readText(event['reportingComponent']);
  const message = readText(event['message']);
  if (event['reason'] !== 'Pulled' || kind !== 'Pod' || message === undefined) return undefined;
  if (component !== undefined && OURS.test(component)) return undefined;
  const [, present] = PRESENT.exec(message) ?? [];
  const [, pulled, duration = ''] = TOOK.exec(message) ?? [];
  const image = present ?? pulled;
  const seconds = present === undefined ? readGoDuration(duration) : 0;
  if (image === undefined || seconds === undefined) return undefined;
  return {
    podUid: readText(uid) ?? '',
    namespace: readText(namespace) ?? 'default',
    podName: readText(name) ?? '',
    image,
    seconds,
    wasPresent: present !== undefined,
    atMs: timeOf(event),
  };
}

function timeOf(event: JsonObject): number {
  const created = partOf(event, 'metadata')['creationTimestamp'];
  const times = [event['lastTimestamp'], event['eventTime'], created].map(parseTime);
  return times.find((time) => time !== undefined) ?? 0;
}

const UNITS: Readonly<Record<string, number>> = {
  h: 3600,
  m: 60,
  s: 1,
  ms: 1e-3,
  µs: 1e-6,
  us: 1e-6,
  ns: 1e-9,
};

/** Seconds of Go's `1m2.5s`; undefined if the text is no such duration. */
function readGoDuration(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?(?:h|ms|m|s|µs|us|ns))+$/.test(text)) return undefined;
  let seconds = 0;
  for (const [, count, unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|µs|us|ns)/g))
    seconds += Number(count) * (UNITS[unit] ?? 0);
  return seconds;
}

/** Whether something is an Event; a watch may deliver other objects, such as bookmarks. */
export function isEvent(object: unknown): object is JsonObject {
  return isObject(object) && isObject(object['involvedObject']);
}
