-- The key of an email is normalized after case folding as well. If two accounts have the same new
-- key, the later one keeps its old key.
UPDATE users AS u SET email_key = normalize(u.email_key, NFC)
WHERE u.email_key IS NOT NFC NORMALIZED AND NOT EXISTS (
    SELECT FROM users AS other
    WHERE other.id <> u.id AND (
        other.email_key = normalize(u.email_key, NFC)
        OR (other.id < u.id AND normalize(other.email_key, NFC) = normalize(u.email_key, NFC))
    )
);
