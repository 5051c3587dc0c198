//! How the client of S3 gets a key: from what a [`Credential`] names.

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use super::Credential;
use super::service::aws_tokens;

/// The builder of a client, with what opens it.
pub(crate) fn opened(builder: AmazonS3Builder, region: &str, credential: &Credential) -> AmazonS3Builder {
    let set = |builder: AmazonS3Builder, key, value: &Option<url::Url>| match value {
        Some(value) => builder.with_config(key, value.as_str().trim_end_matches('/')),
        None => builder,
    };
    match credential {
        Credential::Key { id, secret, token } => {
            let builder = builder.with_access_key_id(id.reveal()).with_secret_access_key(secret.reveal());
            token.iter().fold(builder, |builder, token| builder.with_token(token.reveal()))
        }
        Credential::WebIdentity { token_file, role_arn, session_name, service } => {
            let builder = builder
                .with_config(AmazonS3ConfigKey::WebIdentityTokenFile, token_file)
                .with_config(AmazonS3ConfigKey::RoleArn, role_arn);
            let session = session_name.as_deref().unwrap_or("lakefront");
            let builder = builder.with_config(AmazonS3ConfigKey::RoleSessionName, session);
            // The client's own default knows one domain only.
            let service = service.clone().or_else(|| aws_tokens(region));
            set(builder, AmazonS3ConfigKey::StsEndpoint, &service)
        }
        Credential::Container { path } => builder.with_config(AmazonS3ConfigKey::ContainerCredentialsRelativeUri, path),
        Credential::Pod { agent, token_file } => builder
            .with_config(AmazonS3ConfigKey::ContainerCredentialsFullUri, agent.as_str())
            .with_config(AmazonS3ConfigKey::ContainerAuthorizationTokenFile, token_file),
        Credential::Instance { service } => set(builder, AmazonS3ConfigKey::MetadataEndpoint, service),
    }
}

/// Who gives keys for another service of AWS than S3. It keeps each until it expires.
#[cfg(feature = "kafka")]
pub(crate) fn provider(
    region: &str,
    credential: &Credential,
) -> object_store::Result<object_store::aws::AwsCredentialProvider> {
    // The client wants the name of a bucket, which it is never asked for.
    let builder = AmazonS3Builder::new().with_bucket_name("none").with_region(region);
    Ok(opened(builder, region, credential).build()?.credentials().clone())
}
