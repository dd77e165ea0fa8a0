/** Owns the projection of a Namespace: its labels. */
import type { StringMap } from '../../core/json.ts';
import { readLabels, type Manifest } from './manifest.ts';

export const NAMESPACE = '/Namespace';

export function readNamespace({ metadata }: Manifest): StringMap {
  return readLabels(metadata);
}
