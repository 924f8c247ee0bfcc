// Deletes objects; nothing there is success.
import type { Connection } from './connect.ts';
import { isFailure } from './errors.ts';

export async function remove(connection: Connection, key: string): Promise<void> {
  try {
    await connection.run('delete', key, (sdk, client) => client.send(new sdk.DeleteObjectCommand({ Bucket: connection.bucket, Key: key })));
  } catch (error) {
    if (!isFailure(error, 'NoSuchKey', 'NotFound')) throw error;
  }
}
