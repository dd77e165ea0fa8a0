/** Where the parts of a pod are in the manifest that makes it, so that a message can name them. */
import type { JsonObject } from '../kubernetes/json.ts';
import { join } from './template-path.ts';

/** Where the parts of a pod are in its manifest, for messages: `spec.template.spec.containers[0].image`. */
export interface PodFields {
  /** Where the annotation is, or where to write it. */
  readonly annotation: (key: string) => string;
  readonly annotations: string;
  readonly spec: string;
  /** Where its containers are, all together. */
  readonly containers: string;
  /** @param pointer of the container in the pod: `/spec/containers/0` */
  readonly container: (pointer: string) => string;
  readonly image: (pointer: string) => string;
  readonly pullPolicy: (pointer: string) => string;
}

/** What a shape finds in its part of a manifest. */
export interface ShapedPod {
  /** What the title says beside the workload: `template whalesay`. */
  readonly name: string;
  readonly pod: JsonObject;
  readonly fields: PodFields;
}

/** @param path of the template; empty for a Pod */
export function templateFields(path: string): PodFields {
  const container = (pointer: string): string => join(path, fieldAt(pointer));
  return {
    annotations: join(path, 'metadata.annotations'),
    annotation: (key) => annotationField(join(path, 'metadata.annotations'), key),
    spec: join(path, 'spec'),
    containers: join(path, 'spec.containers'),
    container,
    image: (pointer) => `${container(pointer)}.image`,
    pullPolicy: (pointer) => `${container(pointer)}.imagePullPolicy`,
  };
}

/** `spec.containers[0]` of `/spec/containers/0`. */
export function fieldAt(pointer: string): string {
  return pointer
    .slice(1)
    .replaceAll('/', '.')
    .replaceAll(/\.(\d+)/g, '[$1]');
}

/** @param annotations the path of the annotations */
export function annotationField(annotations: string, key: string): string {
  return `${annotations}[${key}]`;
}
