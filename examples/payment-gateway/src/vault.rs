//! The token vault: who pays is sealed here, and everything else knows a token.
//!
//! XChaCha20-Poly1305 with a random 192-bit nonce (so random ones never meet) and the token as
//! associated data: a sealed row moved to another token does not open. The CVV is no field of
//! anything that is stored: it lives in [`Cvv`] until the first request has been sent.

use chacha20poly1305::aead::rand_core::RngCore;
use chacha20poly1305::aead::{Aead, OsRng, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use kit::Stream;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::Sha256;
use std::fmt;

/// Who pays, as the payer wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Card number, telephone of a wallet, UPI address.
    pub number: String,
    /// Name and expiry, or whatever else is personal.
    pub holder: String,
}

impl fmt::Debug for Account {
    /// Logs get the last four characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", shown(&self.number))
    }
}

/// The three digits on the back: never stored, never printed, overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Cvv(Vec<u8>);

impl Cvv {
    /// Three or four digits.
    #[must_use]
    pub fn new(digits: &str) -> Option<Self> {
        let good = matches!(digits.len(), 3 | 4) && digits.bytes().all(|b| b.is_ascii_digit());
        good.then(|| Self(digits.as_bytes().to_vec()))
    }

    /// For the provider's request, and nobody else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Drop for Cvv {
    fn drop(&mut self) {
        self.0.fill(0);
    }
}

impl fmt::Debug for Cvv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cvv(***)")
    }
}

/// Where nonces and tokens come from.
#[derive(Debug)]
pub enum Randomness {
    /// The operating system's.
    System,
    /// A simulation's.
    Seeded(Box<Stream>),
}

impl Randomness {
    fn fill(&mut self, bytes: &mut [u8]) {
        match self {
            Self::System => OsRng.fill_bytes(bytes),
            Self::Seeded(stream) => {
                for part in bytes.chunks_mut(8) {
                    part.copy_from_slice(&stream.next_u64().to_le_bytes()[..part.len()]);
                }
            }
        }
    }
}

/// Why a token does not open.
#[derive(Debug)]
pub enum VaultError {
    /// Nobody was given this token.
    NoSuchToken,
    /// Wrong key, or the row was tampered with.
    Sealed,
    /// What SQLite says.
    Sql(rusqlite::Error),
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchToken => f.write_str("no such token"),
            Self::Sealed => {
                f.write_str("a sealed account does not open: wrong key or tampered row")
            }
            Self::Sql(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for VaultError {}

impl From<rusqlite::Error> for VaultError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// The keys of the vault. In production they are a key service's and this process holds a handle.
pub struct Vault {
    cipher: XChaCha20Poly1305,
    print_key: [u8; 32],
    randomness: Randomness,
    /// Off: accounts are stored as they are. For the ablation.
    seal: bool,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(***)")
    }
}

impl Vault {
    /// A vault under `key`; `seal` false stores in the open.
    #[must_use]
    pub fn new(key: &[u8; 32], randomness: Randomness, seal: bool) -> Self {
        // One key a purpose.
        let print_key = mac(key, &[b"print of an account"]);
        let cipher = XChaCha20Poly1305::new(&mac(key, &[b"seal of an account"]).into());
        Self { cipher, print_key, randomness, seal }
    }

    /// Stores `account`; its token. Equal accounts share a print, not a token.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn store(
        &mut self,
        database: &Connection,
        account: &Account,
    ) -> Result<String, VaultError> {
        let mut random = [0; 12];
        self.randomness.fill(&mut random);
        let token = format!("tok_{}", hex(&random));
        let mut nonce = [0; 24];
        self.randomness.fill(&mut nonce);
        let open = format!("{}\n{}", account.number, account.holder);
        let sealed = if self.seal {
            let payload = Payload { msg: open.as_bytes(), aad: token.as_bytes() };
            let sealed = self.cipher.encrypt(XNonce::from_slice(&nonce), payload);
            sealed.map_err(|_| VaultError::Sealed)?
        } else {
            open.into_bytes()
        };
        let insert =
            "INSERT INTO vault (token, print, shown, nonce, sealed) VALUES (?1, ?2, ?3, ?4, ?5)";
        let print = self.print(&account.number);
        let row = params![token, &print[..], shown(&account.number), &nonce[..], sealed];
        database.prepare_cached(insert)?.execute(row)?;
        Ok(token)
    }

    /// The account of `token`, for an adapter about to send it.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open(&self, database: &Connection, token: &str) -> Result<Account, VaultError> {
        let select = "SELECT nonce, sealed FROM vault WHERE token = ?1";
        let row = database
            .prepare_cached(select)?
            .query_row([token], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))
            .optional()?;
        let (nonce, sealed) = row.ok_or(VaultError::NoSuchToken)?;
        let open = if self.seal {
            let nonce: [u8; 24] = nonce.try_into().map_err(|_| VaultError::Sealed)?;
            let payload = Payload { msg: &sealed, aad: token.as_bytes() };
            let open = self.cipher.decrypt(XNonce::from_slice(&nonce), payload);
            open.map_err(|_| VaultError::Sealed)?
        } else {
            sealed
        };
        let text = String::from_utf8(open).map_err(|_| VaultError::Sealed)?;
        let (number, holder) = text.split_once('\n').ok_or(VaultError::Sealed)?;
        Ok(Account { number: number.to_owned(), holder: holder.to_owned() })
    }

    /// A keyed digest: without the key nobody can try all card numbers against it.
    #[must_use]
    pub fn print(&self, number: &str) -> [u8; 16] {
        let mut print = [0; 16];
        print.copy_from_slice(&mac(&self.print_key, &[number.as_bytes()])[..16]);
        print
    }
}

/// HMAC-SHA256 of `parts` under `key`.
#[must_use]
pub fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What people may see of a number: its last four characters.
#[must_use]
pub fn shown(number: &str) -> String {
    let last: Vec<char> = number.chars().rev().take(4).collect();
    format!("…{}", last.into_iter().rev().collect::<String>())
}

/// Whether the digits of a card number carry the right check digit (Luhn 1960; ISO/IEC 7812).
#[must_use]
pub fn luhn(number: &str) -> bool {
    if !(12..=19).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let sum: u32 = number
        .bytes()
        .rev()
        .map(|b| u32::from(b - b'0'))
        .enumerate()
        .map(|(at, digit)| match digit * (1 + at as u32 % 2) {
            double @ 10.. => double - 9,
            digit => digit,
        })
        .sum();
    sum.is_multiple_of(10)
}
