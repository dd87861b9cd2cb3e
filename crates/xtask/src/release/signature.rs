//! The signature of the sums, in the form of minisign.
//!
//! Never keeps a secret key, and never writes one.

use std::fmt::Display;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox, SignatureBox};

use super::sums;
use crate::workspace::VERSION;

/// The file that has the signature of the sums.
const SIGNATURE: &str = "SHA256SUMS.minisig";

/// A secret key with its public key.
pub struct SigningKey {
    /// What users verify with.
    pub public: PublicKey,
    secret: SecretKey,
}

/// The key in a file that `minisign -G` has made; one with a password is asked for at the terminal.
///
/// # Errors
/// In words: why there is no key in the file, or that the password is wrong.
pub fn read(path: &Path) -> Result<SigningKey, String> {
    let told = |error: &dyn Display| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| told(&error))?;
    let boxed = |text: &str| SecretKeyBox::from_string(text).map_err(|error| told(&error));
    let open = boxed(&text)?.into_unencrypted_secret_key();
    let secret = open.or_else(|_| boxed(&text)?.into_secret_key(None).map_err(|error| told(&error)))?;
    let public = PublicKey::from_secret_key(&secret).map_err(|error| told(&error))?;
    Ok(SigningKey { public, secret })
}

/// A key for this run alone.
///
/// # Errors
/// In words: why there is no randomness.
pub fn made_now() -> Result<SigningKey, String> {
    let KeyPair { pk, sk } = KeyPair::generate_unencrypted_keypair().map_err(|error| error.to_string())?;
    Ok(SigningKey { public: pk, secret: sk })
}

/// Signs the sums of a folder.
///
/// # Errors
/// In words: what cannot be read, signed or written.
pub fn sign(folder: &Path, key: &SigningKey) -> Result<(), String> {
    let bytes = sums_in(folder)?;
    // The signature covers this, too: an older release does not pass for a newer one.
    let comment = format!("fanfare {VERSION}");
    let signed =
        minisign::sign(Some(&key.public), &key.secret, Cursor::new(bytes), Some(&comment), Some(&comment))
            .map_err(|error| error.to_string())?;
    let path = folder.join(SIGNATURE);
    fs::write(&path, signed.into_string()).map_err(|error| format!("{}: {error}", path.display()))
}

/// Verifies the signature of a folder's sums, and then every sum.
///
/// # Errors
/// In words: what does not fit.
pub fn verify(folder: &Path, public: &PublicKey) -> Result<(), String> {
    let bytes = sums_in(folder)?;
    let told = |error: &dyn Display| format!("{SIGNATURE}: {error}");
    let signature = SignatureBox::from_file(folder.join(SIGNATURE)).map_err(|error| told(&error))?;
    minisign::verify(public, &signature, Cursor::new(bytes), true, false, false)
        .map_err(|error| told(&error))?;
    sums::verify(folder)
}

fn sums_in(folder: &Path) -> Result<Vec<u8>, String> {
    let path = folder.join(sums::SUMS);
    fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
mod tests {
    use super::*;

    const FILES: [&str; 2] = ["fanfare-1.tar.gz", "fanfare_1_amd64.deb"];

    /// A folder with sums and signature, and the key.
    fn release() -> (tempfile::TempDir, SigningKey) {
        let folder = tempfile::tempdir().unwrap();
        for file in FILES {
            fs::write(folder.path().join(file), file.repeat(1000)).unwrap();
        }
        let key = made_now().unwrap();
        sums::write(folder.path()).unwrap();
        sign(folder.path(), &key).unwrap();
        (folder, key)
    }

    #[test]
    fn sums_and_signature_are_verified() {
        let (folder, key) = release();
        assert_eq!(verify(folder.path(), &key.public), Ok(()));
    }

    #[test]
    fn one_changed_byte_of_any_file_is_refused() {
        for file in [FILES[0], FILES[1], sums::SUMS, SIGNATURE] {
            let (folder, key) = release();
            let path = folder.path().join(file);
            let mut bytes = fs::read(&path).unwrap();
            // In the signature's second line, which is the signature itself.
            let at = bytes.iter().position(|byte| *byte == b'\n').map_or(7, |end| end.min(90) + 20);
            bytes[at % 1000] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert!(verify(folder.path(), &key.public).is_err(), "{file}");
        }
    }

    #[test]
    fn a_file_that_is_missing_or_has_no_sum_is_refused() {
        let (folder, key) = release();
        fs::write(folder.path().join("more.deb"), "more").unwrap();
        assert_eq!(verify(folder.path(), &key.public), Err("more.deb has no sum".to_owned()));
        let (folder, key) = release();
        fs::remove_file(folder.path().join(FILES[1])).unwrap();
        assert!(verify(folder.path(), &key.public).unwrap_err().contains(FILES[1]));
    }

    #[test]
    fn sums_that_are_made_anew_after_a_change_do_not_fit_the_signature() {
        let (folder, key) = release();
        fs::write(folder.path().join(FILES[0]), "another").unwrap();
        sums::write(folder.path()).unwrap();
        assert!(verify(folder.path(), &key.public).unwrap_err().starts_with(SIGNATURE));
    }

    #[test]
    fn the_signature_of_another_key_is_refused() {
        let (folder, _) = release();
        assert!(verify(folder.path(), &made_now().unwrap().public).is_err());
    }

    #[test]
    fn a_key_is_read_from_a_file() {
        let (folder, key) = release();
        let path = folder.path().join("key");
        fs::write(&path, key.secret.to_box(None).unwrap().into_string()).unwrap();
        assert_eq!(read(&path).unwrap().public, key.public);
        fs::write(&path, "no key").unwrap();
        assert!(read(&path).is_err());
    }
}
