import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.*;
import java.security.spec.*;
import java.util.Arrays;
import javax.crypto.*;
import javax.crypto.spec.*;
import javax.security.auth.callback.PasswordCallback;

/**
 * Keys in a token, used by Java 17 through its own SunPKCS11. Everything that the token computes is judged by the JDK's
 * software providers, which know only what left the token.
 *
 * <pre>java -Dcoloa.module=/path/to/libcoloa_pkcs11.so Sign.java token.cfg [file with the PIN]</pre>
 */
public class Sign {
    private static final byte[] DOCUMENT = "Quyết định số 2\n".getBytes(UTF_8);
    private static Provider token;

    public static void main(String[] args) throws Exception {
        require(args.length > 0, "usage: Sign.java token.cfg [file with the PIN]");
        token = Security.getProvider("SunPKCS11").configure(args[0]);
        char[] pin = pin(args);
        ((AuthProvider) token).login(null, asked -> ((PasswordCallback) asked[0]).setPassword(pin));
        Arrays.fill(pin, '\0');

        KeyPair rsa = pair("RSA", new RSAKeyGenParameterSpec(3072, RSAKeyGenParameterSpec.F4));
        KeyPair ec = pair("EC", new ECGenParameterSpec("secp256r1"));
        var pss = new PSSParameterSpec("SHA-256", "MGF1", MGF1ParameterSpec.SHA256, 32, 1);
        sign("SHA256withRSA", null, rsa, "SunRsaSign");
        sign("RSASSA-PSS", pss, rsa, "SunRsaSign");
        sign("SHA256withECDSA", null, ec, "SunEC");
        agree(ec);
        encrypt("AES/GCM/NoPadding", new GCMParameterSpec(128, random(12)));
        encrypt("AES/CBC/PKCS5Padding", new IvParameterSpec(random(16)));
        encryptTo(rsa);
        ((AuthProvider) token).logout();
    }

    /** From a file or a person: on a command line everybody on the machine could read it. */
    private static char[] pin(String[] args) throws Exception {
        if (args.length > 1) {
            return Files.readString(Path.of(args[1])).strip().toCharArray();
        }
        require(System.console() != null, "there is nobody to ask for the PIN: name a file that has it");
        return System.console().readPassword("PIN: ");
    }

    /** token.cfg says what the keys may do. */
    private static KeyPair pair(String algorithm, AlgorithmParameterSpec size) throws Exception {
        var generator = KeyPairGenerator.getInstance(algorithm, token);
        generator.initialize(size);
        KeyPair pair = generator.generateKeyPair();
        require(pair.getPrivate().getEncoded() == null, "the private key can be read");
        return pair;
    }

    private static void sign(String algorithm, AlgorithmParameterSpec how, KeyPair pair, String judge) throws Exception {
        var signer = Signature.getInstance(algorithm, token);
        var verifier = Signature.getInstance(algorithm, judge);
        if (how != null) {
            signer.setParameter(how);
            verifier.setParameter(how);
        }
        signer.initSign(pair.getPrivate());
        signer.update(DOCUMENT);
        byte[] signature = signer.sign();
        verifier.initVerify(outside(pair.getPublic(), judge));
        verifier.update(DOCUMENT);
        require(verifier.verify(signature), algorithm + ": the signature is wrong");
        verifier.update(altered(DOCUMENT));
        require(!verifier.verify(signature), algorithm + ": the signature holds for another document");
        System.out.println(algorithm + ": verified by " + judge);
    }

    /** The shared secret stays in the token; that both sides have the same one is shown by a MAC under it. */
    private static void agree(KeyPair ours) throws Exception {
        var generator = KeyPairGenerator.getInstance("EC", "SunEC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        KeyPair theirs = generator.generateKeyPair();
        var here = KeyAgreement.getInstance("ECDH", token);
        here.init(ours.getPrivate());
        here.doPhase(theirs.getPublic(), true);
        SecretKey secret = here.generateSecret("TlsPremasterSecret"); // the only name with which SunPKCS11 leaves it there
        require(secret.getEncoded() == null, "the shared secret can be read");
        var there = KeyAgreement.getInstance("ECDH", "SunEC");
        there.init(theirs.getPrivate());
        there.doPhase(outside(ours.getPublic(), "SunEC"), true);
        var mac = Mac.getInstance("HmacSHA256", token);
        mac.init(secret);
        var same = Mac.getInstance("HmacSHA256", "SunJCE");
        same.init(new SecretKeySpec(there.generateSecret(), "HmacSHA256"));
        require(Arrays.equals(mac.doFinal(DOCUMENT), same.doFinal(DOCUMENT)), "ECDH: two different secrets");
        System.out.println("ECDH: the same secret as SunEC");
    }

    /** With a key that never leaves the token; and with one that the software has too, so that it can judge. */
    private static void encrypt(String algorithm, AlgorithmParameterSpec iv) throws Exception {
        var generator = KeyGenerator.getInstance("AES", token);
        generator.init(256);
        SecretKey key = generator.generateKey();
        require(key.getEncoded() == null, "the AES key can be read");
        byte[] secret = run(algorithm, token, Cipher.ENCRYPT_MODE, key, iv, DOCUMENT);
        require(Arrays.equals(run(algorithm, token, Cipher.DECRYPT_MODE, key, iv, secret), DOCUMENT), algorithm);

        Provider software = Security.getProvider("SunJCE");
        SecretKey known = new SecretKeySpec(random(32), "AES");
        byte[] here = run(algorithm, token, Cipher.ENCRYPT_MODE, known, iv, DOCUMENT);
        byte[] there = run(algorithm, software, Cipher.ENCRYPT_MODE, known, iv, DOCUMENT);
        require(Arrays.equals(here, there), algorithm + ": not what SunJCE makes of it");
        require(Arrays.equals(run(algorithm, token, Cipher.DECRYPT_MODE, known, iv, there), DOCUMENT), algorithm);
        if (algorithm.contains("GCM")) {
            refused(() -> run(algorithm, token, Cipher.DECRYPT_MODE, key, iv, altered(secret)));
        }
        System.out.println(algorithm + ": the same as SunJCE");
    }

    /** Anybody encrypts to the key in the token, and the token too. */
    private static void encryptTo(KeyPair pair) throws Exception {
        String algorithm = "RSA/ECB/PKCS1Padding";
        Provider software = Security.getProvider("SunJCE");
        PublicKey known = outside(pair.getPublic(), "SunRsaSign");
        byte[] there = run(algorithm, software, Cipher.ENCRYPT_MODE, known, null, DOCUMENT);
        byte[] here = run(algorithm, token, Cipher.ENCRYPT_MODE, pair.getPublic(), null, DOCUMENT);
        for (byte[] secret : new byte[][] {there, here}) {
            byte[] opened = run(algorithm, token, Cipher.DECRYPT_MODE, pair.getPrivate(), null, secret);
            require(Arrays.equals(opened, DOCUMENT), algorithm);
        }
        System.out.println(algorithm + ": decrypts what SunJCE encrypted");
    }

    private static byte[] run(String algorithm, Provider by, int mode, Key key, AlgorithmParameterSpec iv, byte[] data)
            throws GeneralSecurityException {
        var cipher = Cipher.getInstance(algorithm, by);
        cipher.init(mode, key, iv);
        return cipher.doFinal(data);
    }

    /** The public key as somebody without the token has it. */
    private static PublicKey outside(PublicKey key, String judge) throws Exception {
        return KeyFactory.getInstance(key.getAlgorithm(), judge).generatePublic(new X509EncodedKeySpec(key.getEncoded()));
    }

    private static void refused(java.util.concurrent.Callable<byte[]> opens) throws Exception {
        try {
            opens.call();
        } catch (AEADBadTagException expected) {
            return;
        }
        throw new IllegalStateException("an altered message was decrypted");
    }

    private static byte[] altered(byte[] bytes) {
        byte[] other = bytes.clone();
        other[0] ^= 1;
        return other;
    }

    private static byte[] random(int length) {
        byte[] bytes = new byte[length];
        new SecureRandom().nextBytes(bytes);
        return bytes;
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }
}
