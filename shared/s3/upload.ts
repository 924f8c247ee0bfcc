// The SDK's upload of a stream in parts. By name, as a bundle knows no names of what it imports when needed.
export { Upload } from '@aws-sdk/lib-storage';
