/** Loads the vendor's packages, which are optional dependencies: only an installation that asks the API needs them. */
import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

/** @throws Error if the package is not installed */
export function loadSdk<T>(name: '@alicloud/openapi-client' | '@alicloud/credentials'): T {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the caller names the type of this package
    return load(name) as T;
  } catch (error) {
    throw new Error(
      `region.api needs the package ${name}, which this installation lacks: docs/region.md says how to add it`,
      { cause: error },
    );
  }
}
