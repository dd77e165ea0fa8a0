/**
 * Reads the parts that every Kubernetes object has. Every reader in this folder throws Unreadable if an object is not
 * as it must be.
 */
import { readGroupKind } from '../../core/kubernetes/object.ts';
import {
  isObject,
  readStringMap,
  readText,
  type JsonObject,
  type StringMap,
} from '../../core/kubernetes/json.ts';
import { typeName, Unreadable } from '../../core/kubernetes/problem.ts';

export interface Manifest {
  /** `eci.alibabacloud.com/ImageCache`, `/ConfigMap`. */
  readonly groupKind: string;
  readonly name: string;
  /** Empty if none is written. */
  readonly namespace: string;
  readonly metadata: JsonObject;
  readonly object: JsonObject;
}

export function readManifest(value: unknown): Manifest {
  if (!isObject(value))
    throw new Unreadable('document', `is ${typeName(value)}; it must be a Kubernetes object`);
  return manifestOf(readGroupKind(value), value);
}

/** @param groupKind a parameter, because an item of a list has neither apiVersion nor kind */
export function manifestOf(groupKind: string, value: JsonObject): Manifest {
  const { metadata } = value;
  if (!isObject(metadata)) throw new Unreadable('metadata', 'is missing');
  const name = readText(metadata['name']);
  if (name === undefined) throw new Unreadable('metadata.name', 'is missing');
  return { groupKind, name, namespace: readText(metadata['namespace']) ?? '', metadata, object: value };
}

/** An optional part of an object that must be an object itself; absent and null are empty. */
export function readPart(parent: JsonObject, name: string, path: string = name): JsonObject {
  const value = parent[name] ?? {};
  if (!isObject(value)) throw new Unreadable(path, `is ${typeName(value)}; it must be an object`);
  return value;
}

export function readLabels(metadata: JsonObject): StringMap {
  return readStringMap(metadata['labels'], 'metadata.labels');
}

/**
 * A time in milliseconds since 1970, read from an RFC 3339 string or from a Date.
 * @returns undefined if there is none
 */
export function readTime(value: unknown, path: string): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const time = value instanceof Date || typeof value === 'string' ? new Date(value).getTime() : Number.NaN;
  if (Number.isNaN(time)) throw new Unreadable(path, 'is no time; it must be like 2026-01-31T12:00:00Z');
  return time;
}
