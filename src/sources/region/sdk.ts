/** Loads the vendor's packages, which are optional dependencies: only an installation that asks the API needs them. */
import { createRequire } from 'node:module';
import type Credentials from '@alicloud/credentials';
import type OpenApi from '@alicloud/openapi-client';

interface Packages {
  readonly '@alicloud/openapi-client': typeof OpenApi;
  readonly '@alicloud/credentials': typeof Credentials;
}

const load = createRequire(import.meta.url);

/** @throws Error if the package is not installed */
export function loadSdk<K extends keyof Packages>(name: K): Packages[K] {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is the package of this name
    return load(name) as Packages[K];
  } catch (error) {
    throw new Error(
      `region.api needs the package ${name}, which this installation lacks: docs/region.md says how to add it`,
      { cause: error },
    );
  }
}
