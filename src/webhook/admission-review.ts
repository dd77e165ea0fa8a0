/**
 * The wire format of an AdmissionReview (admission.k8s.io/v1 or v1beta1): decodes the request from bytes, and encodes a
 * decision as the response, in the version of the request.
 */
import { isUtf8 } from 'node:buffer';
import { runInNewContext } from 'node:vm';
import type { Decision } from '../core/decision/decide.ts';
import { isObject, readText, type JsonObject } from '../core/kubernetes/json.ts';
import { messageOf, typeName } from '../core/kubernetes/problem.ts';
import { SMALL_BODY } from './body-budget.ts';
import type { Operation } from './json-patch.ts';
import { shapeOf } from './json-shape.ts';
import { TooMuchAtOnce } from './request-body.ts';

export interface Review {
  readonly apiVersion: string;
  readonly uid: string;
  readonly dryRun: boolean;
  /** The pod's namespace; undefined if the request names none. */
  readonly namespace: string | undefined;
  /** The object that the request creates. The webhook allows `other` objects unchanged. */
  readonly target: 'pod' | 'binding' | 'other';
  /** `CREATE`, `UPDATE`, …; not checked. */
  readonly operation: unknown;
  /** Not read yet. */
  readonly object: unknown;
  /** The object as it was before an update, not read yet. */
  readonly oldObject: unknown;
}

/** A response as JSON, without braces and without the uid, so that it can answer many requests. */
export type EncodedResponse = string;

export const ALLOWED_AS_IT_IS: EncodedResponse = encode({ allowed: true });

const API_VERSIONS = ['admission.k8s.io/v1', 'admission.k8s.io/v1beta1'];

/**
 * The JSON.parse of another V8 context. Objects of one context share hidden classes, and V8 reads reviews faster if
 * they do not share classes with our own objects (https://v8.dev/docs/hidden-classes; docs/performance.md).
 */
const parseReview: (text: string) => unknown = runInNewContext('JSON.parse');

/** Thrown for a body that is no AdmissionReview with a request; answered with HTTP 400. */
export class MalformedReview extends Error {
  readonly statusCode = 400;
}

/**
 * @param body undefined if the request had none
 * @param mayTake whether so many bytes of memory may be taken beside the text, for the parsed review
 * @throws MalformedReview; TooMuchAtOnce
 */
export function decodeReview(body: Buffer | undefined, mayTake: (bytes: number) => boolean): Review {
  const review = parseJson(body, mayTake);
  if (!isObject(review))
    throw new MalformedReview(`the body is ${typeName(review)}; it must be an AdmissionReview`);
  const { apiVersion, kind, request } = review;
  if (kind !== 'AdmissionReview' || typeof apiVersion !== 'string' || !API_VERSIONS.includes(apiVersion)) {
    throw new MalformedReview(`the body is not an AdmissionReview of ${API_VERSIONS.join(' or ')}`);
  }
  if (!isObject(request)) throw new MalformedReview('the AdmissionReview has no request');
  const { uid, dryRun, namespace, operation, object, oldObject } = request;
  if (typeof uid !== 'string' || uid === '') throw new MalformedReview('request.uid is missing');
  return {
    apiVersion,
    uid,
    dryRun: dryRun === true,
    namespace: readText(namespace),
    target: targetOf(request),
    operation,
    object,
    oldObject,
  };
}

function parseJson(body: Buffer | undefined, mayTake: (bytes: number) => boolean): unknown {
  if (body === undefined || body.length === 0) throw new MalformedReview('the body is empty');
  if (!isUtf8(body)) throw new MalformedReview('the body is not JSON: it is not valid UTF-8');
  const text = body.toString('utf8');
  const { excess, memory } = shapeOf(text);
  if (excess !== undefined) throw new MalformedReview(`the body is no AdmissionReview: ${excess}`);
  if (body.length > SMALL_BODY && !mayTake(memory)) throw new TooMuchAtOnce();
  try {
    return parseReview(text);
  } catch (error) {
    throw new MalformedReview(`the body is not JSON: ${messageOf(error)}`);
  }
}

type Target = Review['target'];

/** By resource and subresource. A Binding is created as a subresource of its pod, or by itself (`kubectl create`). */
const TARGETS: ReadonlyMap<unknown, ReadonlyMap<unknown, Target>> = new Map([
  [
    'pods',
    new Map<unknown, Target>([
      ['', 'pod'],
      ['binding', 'binding'],
    ]),
  ],
  ['bindings', new Map<unknown, Target>([['', 'binding']])],
]);

function targetOf({ operation, resource, subResource }: JsonObject): Target {
  if (operation !== 'CREATE' || !isObject(resource) || (resource['group'] ?? '') !== '') return 'other';
  return TARGETS.get(resource['resource'])?.get(subResource ?? '') ?? 'other';
}

/** @param patch of the pod, or of the binding; empty if nothing changes */
export function encodeResponse(decision: Decision, patch: readonly Operation[]): EncodedResponse {
  const { outcome, reason, why, cacheId, warnings } = decision;
  // A pod that does not go to ECI gets no audit annotations, because nothing was decided for it.
  const auditAnnotations =
    reason === 'NotForEci'
      ? {}
      : { outcome, reason, ...(cacheId !== undefined && { 'image-cache': cacheId }) };
  return encode({
    allowed: outcome !== 'denied',
    // 422: the pod is understood, and cannot be started as it is.
    ...(outcome === 'denied' && { status: { status: 'Failure', code: 422, reason, message: why } }),
    ...(patch.length > 0 && {
      patchType: 'JSONPatch',
      patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
    }),
    ...(warnings.length > 0 && { warnings }),
    ...(Object.keys(auditAnnotations).length > 0 && { auditAnnotations }),
  });
}

/** Allows the object, with warnings. @param warnings short enough for an AdmissionResponse */
export function encodeWarnings(warnings: readonly string[]): EncodedResponse {
  return encode({ allowed: true, warnings });
}

function encode(response: object): EncodedResponse {
  return JSON.stringify(response).slice(1, -1);
}

/** @returns the whole AdmissionReview, as JSON */
export function addUid({ apiVersion, uid }: Review, response: EncodedResponse): string {
  return `{"kind":"AdmissionReview","apiVersion":"${apiVersion}","response":{"uid":${JSON.stringify(uid)},${response}}}`;
}
