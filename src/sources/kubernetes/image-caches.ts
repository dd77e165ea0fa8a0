/** Owns where the API server has ImageCaches. */

export const IMAGE_CACHES = '/apis/eci.alibabacloud.com/v1/imagecaches';

export function imageCachePath(name: string): string {
  return `${IMAGE_CACHES}/${name}`;
}
