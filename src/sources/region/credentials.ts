/**
 * Finds the credentials for Alibaba Cloud, with the vendor's package: an access key in the environment, the role of the
 * service account (RRSA), or a profile in a file. Unlike the package's own chain it asks no metadata server by itself, and
 * goes on looking after a failure.
 */
import type Sdk from '@alicloud/credentials';
import { RegionApiError } from './region-error.ts';
import { loadSdk } from './sdk.ts';

type Credential = Sdk.default;
type Credentials = Awaited<ReturnType<Credential['getCredential']>>;

interface Provider {
  readonly getCredentials: () => Promise<{
    readonly accessKeyId: string;
    readonly accessKeySecret: string;
    readonly securityToken: string;
  }>;
}

/** @returns for the SDK's client, which asks it for credentials at each call */
export function loadCredentials(): Credential {
  const sdk = loadSdk('@alicloud/credentials');
  // Each of them reads its environment variables and files by itself, and keeps its session until that ends.
  const builders: readonly (() => Provider)[] = [
    () => sdk.EnvironmentVariableCredentialsProvider.builder().build(),
    () => sdk.OIDCRoleArnCredentialsProvider.builder().build(),
    () => sdk.CLIProfileCredentialsProvider.builder().build(),
    () => sdk.ProfileCredentialsProvider.builder().build(),
  ];
  const providers = builders.flatMap((build) => {
    try {
      return [build()];
    } catch {
      // The variables that it needs are not set.
      return [];
    }
  });
  const getCredential = async (): Promise<Credentials> => {
    for (const provider of providers) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- the next one only if this one has none
        const { accessKeyId, accessKeySecret, securityToken } = await provider.getCredentials();
        const type = securityToken ? 'sts' : 'access_key';
        return new sdk.CredentialModel({ accessKeyId, accessKeySecret, securityToken, type });
      } catch {
        // With the variables of a role, another identity from a file would be a surprise.
        if (provider instanceof sdk.OIDCRoleArnCredentialsProvider)
          throw new RegionApiError('RoleNotAssumed', 'credentials');
        // The variables or the file are missing, or are not valid: the next one may have some.
      }
    }
    throw new RegionApiError('NoCredentials', 'credentials');
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the client calls nothing else of it
  return { getCredential } as unknown as Credential;
}
