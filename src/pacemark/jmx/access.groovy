// What a thread needs before its first request: whose it is, and which certificates it accepts.
// TOKENS_FILE, when set, is a CSV file with a column 'token': thread i, of all engines together, takes row i,
// round and round, as its TOKEN for its whole life. The file is read once a test and copied nowhere.
// CERTIFICATES says what is accepted over TLS, in every protocol alike:
//   verify  what leads to javax.net.ssl.trustStore (by default: to Java's own list) and names its host
//   ignore  everything
//   (empty) as JMeter by itself: the HTTP and WebSocket samplers take everything, Java's own client verifies
// The client's own certificate is the one in javax.net.ssl.keyStore.
// Who we are to a proxy is in http.proxyUser and http.proxyPass, which JMeter's samplers read themselves.
import groovy.transform.CompileStatic
import java.security.KeyStore
import java.security.cert.CertificateException
import java.security.cert.X509Certificate
import javax.net.ssl.KeyManager
import javax.net.ssl.KeyManagerFactory
import javax.net.ssl.SSLContext
import javax.net.ssl.SSLEngine
import javax.net.ssl.SSLHandshakeException
import javax.net.ssl.SSLParameters
import javax.net.ssl.SSLSocket
import javax.net.ssl.TrustManager
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509ExtendedTrustManager
import org.apache.jmeter.samplers.SampleResult
import org.apache.jmeter.save.CSVSaveService
import org.apache.jmeter.services.FileServer
import org.apache.jmeter.threads.JMeterContext
import org.apache.jmeter.threads.JMeterVariables
import org.apache.jmeter.util.JMeterUtils
import org.apache.jmeter.util.JsseSSLManager
import org.apache.jmeter.util.SSLManager
import org.apache.jorphan.util.JMeterStopTestException

// Java's own check of a server, and of its name: JMeter's samplers open their sockets without asking for that.
@CompileStatic
class Verifying extends X509ExtendedTrustManager {
    // Why, on this thread, for the WebSocket samplers do not tell.
    static final ThreadLocal<String> REFUSED = new ThreadLocal<>()
    final X509ExtendedTrustManager java

    Verifying() {
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.defaultAlgorithm)
        factory.init((KeyStore) null)
        java = (X509ExtendedTrustManager) factory.trustManagers[0]
    }

    void checkServerTrusted(X509Certificate[] chain, String kind, Socket socket) {
        SSLSocket encrypted = (SSLSocket) socket
        SSLParameters asked = encrypted.getSSLParameters()
        asked.endpointIdentificationAlgorithm = 'HTTPS'
        encrypted.setSSLParameters(asked)
        try {
            java.checkServerTrusted(chain, kind, socket)
            REFUSED.remove()
        } catch (CertificateException refused) {
            REFUSED.set(refused.message)
            throw refused
        }
    }

    void checkServerTrusted(X509Certificate[] chain, String kind, SSLEngine engine) { java.checkServerTrusted(chain, kind, engine) }

    void checkServerTrusted(X509Certificate[] chain, String kind) { java.checkServerTrusted(chain, kind) }

    void checkClientTrusted(X509Certificate[] chain, String kind, Socket socket) { java.checkClientTrusted(chain, kind, socket) }

    void checkClientTrusted(X509Certificate[] chain, String kind, SSLEngine engine) { java.checkClientTrusted(chain, kind, engine) }

    void checkClientTrusted(X509Certificate[] chain, String kind) { java.checkClientTrusted(chain, kind) }

    X509Certificate[] getAcceptedIssuers() { return java.acceptedIssuers }
}

// In the place of JMeter's, which trusts everybody. Like it, each thread has a context and so sessions of its own.
@CompileStatic
class VerifyingSSLManager extends JsseSSLManager {
    final KeyManager[] keys
    final TrustManager[] trusted = [new Verifying()] as TrustManager[]
    final ThreadLocal<SSLContext> contexts = new ThreadLocal<>()

    VerifyingSSLManager() {
        super(null)
        String file = System.getProperty('javax.net.ssl.keyStore')
        if (file) {
            char[] password = System.getProperty('javax.net.ssl.keyStorePassword', '').toCharArray()
            KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.defaultAlgorithm)
            factory.init(KeyStore.getInstance(new File(file), password), password)
            keys = factory.keyManagers
        }
    }

    SSLContext getContext() {
        SSLContext context = contexts.get()
        if (context == null) {
            context = SSLContext.getInstance('TLS')
            context.init(keys, trusted, null)
            contexts.set(context)
        }
        return context
    }

    void resetContext() { contexts.remove() }
}

@CompileStatic
class Access {
    final Object engine
    final List<String> tokens
    // For Java's own client, as the header Proxy-Authorization, which goes to a proxy only. With an Authenticator
    // it would take our Authorization away (Java 17 and 21). Empty where the proxy wants no name.
    final String toProxy

    Access(JMeterContext ctx, Properties props) {
        engine = ctx.engine
        accept(ctx.variables.get('CERTIFICATES') ?: '')
        String file = ctx.variables.get('TOKENS_FILE')
        tokens = file ? read(file) : []
        String user = props.getProperty('http.proxyUser')
        toProxy = user ? 'Basic ' + (user + ':' + props.getProperty('http.proxyPass', '')).bytes.encodeBase64() : ''
    }

    static void accept(String which) {
        if (which == 'verify') {
            java.lang.reflect.Field current = SSLManager.getDeclaredField('manager')
            current.accessible = true
            current.set(null, new VerifyingSSLManager())
        } else if (which == 'ignore') {
            System.setProperty('jdk.internal.httpclient.disableHostnameVerification', 'true')
            SSLContext.setDefault(((JsseSSLManager) SSLManager.instance).context)
        } else if (which) {
            throw new JMeterStopTestException('CERTIFICATES must be verify, ignore or empty, not ' + which)
        }
    }

    static List<String> read(String name) {
        FileServer.fileServer.getResolvedFile(name).withReader('UTF-8') { Reader reader ->
            BufferedReader lines = new BufferedReader(reader)
            List<String> header = CSVSaveService.csvReadFile(lines, (char) ',').collect { String it -> it.replace('\uFEFF', '').trim() }
            int column = header.indexOf('token')
            if (column < 0) throw new JMeterStopTestException(name + ' has no column token')
            List<String> found = []
            for (String[] row = CSVSaveService.csvReadFile(lines, (char) ','); row.length; row = CSVSaveService.csvReadFile(lines, (char) ',')) {
                if (row.length > column && row[column].trim()) found << row[column].trim()
            }
            if (!found) throw new JMeterStopTestException(name + ' holds no token')
            return found
        }
    }

    // A WebSocket handshake that ended at the certificate says "Socket is closed": let it say what HTTP says.
    static void explain(SampleResult handshake) {
        String why = Verifying.REFUSED.get()
        if (handshake.successful || !why) return
        Verifying.REFUSED.remove()
        handshake.responseCode = 'Non HTTP response code: ' + SSLHandshakeException.name
        handshake.responseMessage = 'Non HTTP response message: ' + why
    }

    // Once a test by whichever thread comes first; a second run in the GUI has a new engine.
    static void prepare(JMeterContext ctx, Properties props) {
        List<String> tokens
        synchronized (props) {
            Object found = props.get('access')
            if (!(found instanceof Access && ((Access) found).engine.is(ctx.engine))) props.put('access', found = new Access(ctx, props))
            tokens = ((Access) found).tokens
        }
        if (tokens) ctx.variables.put('TOKEN', tokens[index(ctx) % tokens.size()])
    }

    // The thread's number among those of all engines, where the load is shared out: as the pacing counts it.
    private static int index(JMeterContext ctx) {
        return ctx.threadNum * JMeterUtils.getPropDefault('WORKERS', 1) + JMeterUtils.getPropDefault('WORKER', 0)
    }
}

try {
    Access.prepare(ctx, props)
    return 0L
} catch (JMeterStopTestException e) {
    throw e
} catch (Throwable e) {
    // JMeter would only log it.
    throw new JMeterStopTestException('access to the gateway cannot be set up: ' + e, e)
}
