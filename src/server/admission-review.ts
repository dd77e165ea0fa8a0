/**
 * Owns the wire format: bytes to an AdmissionReview request, and an answer to the bytes of its response, in the version
 * that was asked in (admission.k8s.io/v1, v1beta1). Decides nothing.
 */
import { isUtf8 } from 'node:buffer';
import { runInNewContext } from 'node:vm';
import { messageOf } from '../core/error-message.ts';
import type { Operation } from '../core/patch/json-patch.ts';
import { isObject, readText, typeName, type JsonObject } from '../core/json.ts';

export interface Review {
  readonly apiVersion: string;
  readonly uid: string;
  readonly dryRun: boolean;
  /** The pod's namespace; undefined where the request names none. */
  readonly namespace: string | undefined;
  /** What is created; everything but these two is allowed as it is. */
  readonly subject: 'pod' | 'binding' | 'other';
  /** Not looked at yet. */
  readonly object: unknown;
}

export interface ReviewAnswer {
  /** Present: the pod is denied. */
  readonly denial?: { readonly code: number; readonly reason: string; readonly message: string };
  readonly patch: readonly Operation[];
  readonly warnings: readonly string[];
  readonly auditAnnotations: Readonly<Record<string, string>>;
}

/** What encodeAnswer makes. */
export type EncodedAnswer = string;

export const ALLOWED_AS_IT_IS = encodeAnswer({ patch: [], warnings: [], auditAnnotations: {} });

const API_VERSIONS = ['admission.k8s.io/v1', 'admission.k8s.io/v1beta1'];

/**
 * That of another context, which has read nothing but reviews: V8 finds the shape of an object by one name after another,
 * and where the objects of the cluster and our own begin as reviews do, each name is looked for among theirs too. That
 * was a twentieth of the webhook's throughput (docs/performance.md).
 */
const parseReview: (text: string) => unknown = runInNewContext('JSON.parse');

/** Thrown for a body that is no AdmissionReview with a request; answered with HTTP 400. */
export class MalformedReview extends Error {
  readonly statusCode = 400;
}

/** @param body undefined where the request had none */
export function decodeReview(body: Buffer | undefined): Review {
  const review = parseJson(body);
  if (!isObject(review))
    throw new MalformedReview(`the body is ${typeName(review)}; it must be an AdmissionReview`);
  const { apiVersion, kind, request } = review;
  if (kind !== 'AdmissionReview' || typeof apiVersion !== 'string' || !API_VERSIONS.includes(apiVersion)) {
    throw new MalformedReview(`the body is not an AdmissionReview of ${API_VERSIONS.join(' or ')}`);
  }
  if (!isObject(request)) throw new MalformedReview('the AdmissionReview has no request');
  const { uid, dryRun, namespace, object } = request;
  if (typeof uid !== 'string' || uid === '') throw new MalformedReview('request.uid is missing');
  return {
    apiVersion,
    uid,
    dryRun: dryRun === true,
    namespace: readText(namespace),
    subject: subjectOf(request),
    object,
  };
}

function parseJson(body: Buffer | undefined): unknown {
  if (body === undefined || body.length === 0) throw new MalformedReview('the body is empty');
  if (!isUtf8(body)) throw new MalformedReview('the body is not JSON: it is not valid UTF-8');
  try {
    return parseReview(body.toString('utf8'));
  } catch (error) {
    throw new MalformedReview(`the body is not JSON: ${messageOf(error)}`);
  }
}

type Subject = Review['subject'];

/** By resource and subresource. A Binding is created below its pod, or (`kubectl create`) by itself. */
const SUBJECTS: ReadonlyMap<unknown, ReadonlyMap<unknown, Subject>> = new Map([
  [
    'pods',
    new Map<unknown, Subject>([
      ['', 'pod'],
      ['binding', 'binding'],
    ]),
  ],
  ['bindings', new Map<unknown, Subject>([['', 'binding']])],
]);

function subjectOf({ operation, resource, subResource }: JsonObject): Subject {
  if (operation !== 'CREATE' || !isObject(resource) || (resource['group'] ?? '') !== '') return 'other';
  return SUBJECTS.get(resource['resource'])?.get(subResource ?? '') ?? 'other';
}

/** @returns JSON */
export function encodeReview({ apiVersion, uid }: Review, answer: EncodedAnswer): string {
  return `{"kind":"AdmissionReview","apiVersion":"${apiVersion}","response":{"uid":${JSON.stringify(uid)},${answer}}}`;
}

/**
 * An answer as JSON, without braces, and without the uid, which alone differs from review to review: the same answer is
 * given to many.
 */
export function encodeAnswer({ denial, patch, warnings, auditAnnotations }: ReviewAnswer): EncodedAnswer {
  const response = JSON.stringify({
    allowed: denial === undefined,
    ...(denial && { status: { status: 'Failure', ...denial } }),
    ...(patch.length > 0 && {
      patchType: 'JSONPatch',
      patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
    }),
    ...(warnings.length > 0 && { warnings }),
    ...(Object.keys(auditAnnotations).length > 0 && { auditAnnotations }),
  });
  return response.slice(1, -1);
}
