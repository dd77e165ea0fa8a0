/** The configuration of a webhook for which no setting is given. */
import { loadConfig } from '../../src/config/load.ts';

export const DEFAULT_CONFIG = loadConfig(undefined, new Map(), {});
