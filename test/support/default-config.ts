/** The configuration that a webhook has of which nothing is configured. */
import { loadConfig } from '../../src/config/load.ts';

export const DEFAULT_CONFIG = loadConfig(undefined, new Map(), {});
