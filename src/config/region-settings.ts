/** The settings of the region and of ECI's API, a part of the table in settings.ts. */
import type { Setting } from './setting.ts';
import { BOOLEAN, DURATION, TEXT } from './value-type.ts';

export const REGION_SETTINGS: readonly Setting[] = [
  {
    path: 'region.name',
    alias: 'region',
    type: TEXT,
    default: '',
    help: "The cluster's region. A cache labelled with another `topology.kubernetes.io/region` is not chosen.",
  },
  {
    path: 'region.api',
    type: BOOLEAN,
    default: false,
    help: "Whether to ask ECI's API for all caches of the region. Needs `region.name`, credentials, and the vendor's SDK.",
  },
  {
    path: 'region.endpoint',
    type: TEXT,
    default: '',
    help: "Host of ECI's API, if it is not `eci.REGION.aliyuncs.com`. `http://127.0.0.1:PORT` is a stand-in: `imc simulate-eci --api`.",
  },
  {
    path: 'region.pollInterval',
    type: DURATION,
    default: '60s',
    help: "How long to wait between two lists of the region's caches, give or take a tenth; longer after a failure.",
  },
  {
    path: 'region.maxStaleness',
    type: DURATION,
    default: '5m',
    help: "How long the last list of the region's caches counts; afterwards only the ImageCache objects do.",
  },
];
