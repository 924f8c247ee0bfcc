// What is used of the SDK's presigner. Apart from sdk.ts, as only the edge `bytes` signs; by name, as a bundle knows no names of what it imports when needed.
export { getSignedUrl, S3RequestPresigner } from '@aws-sdk/s3-request-presigner';
