/** Reads and applies the patches of our answers, with a JSON Patch implementation that is not ours. */
import jsonPatch from 'fast-json-patch';
import type { Operation } from '../../src/webhook/json-patch.ts';

/** The operations of an AdmissionResponse; empty if it has no patch. */
export function operationsOf({ patch }: { readonly patch?: string }): readonly Operation[] {
  return patch === undefined ? [] : (JSON.parse(Buffer.from(patch, 'base64').toString()) as Operation[]);
}

/**
 * The object after the patch, as the API server would have it; throws if an operation is invalid.
 * @param banPrototypeKeys false if the object itself has keys such as `__proto__`
 */
export function applied<T>(object: T, operations: readonly Operation[], banPrototypeKeys = true): T {
  const copy = structuredClone(object);
  return jsonPatch.applyPatch(copy, [...operations] as jsonPatch.Operation[], true, false, banPrototypeKeys)
    .newDocument;
}
